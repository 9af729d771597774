import CNSGI
import Wire

/// The applications of a worker by mount point: the longest prefix that ends at a segment border wins.
///
/// The places are fixed; the app of a place may be replaced by the leader. Lives as long as the process.
struct MountTable: @unchecked Sendable {
  private let places: UnsafeMutableBufferPointer<App>
  /// The only app, if it sits at the root: nothing has to be compared.
  private let root: UnsafeMutablePointer<AppCallsPointer?>

  /// - Parameter apps: no two at one mount.
  init(_ apps: [App]) {
    places = .allocate(capacity: apps.count)
    _ = places.initialize(from: apps.sorted { $0.mount.count > $1.mount.count })
    root = .allocate(capacity: 1)
    root.initialize(to: apps.count == 1 && apps[0].mount.isEmpty ? apps[0].calls : nil)
  }

  /// The apps as they are mounted now. For the leader, or when nobody leads.
  var apps: [App] { Array(places) }

  /// The place of the app that is mounted at `mount`; nil for none.
  func place(of mount: String) -> Int? { places.firstIndex { $0.mount.elementsEqual(mount.utf8) } }

  /// The app of a place in the table.
  subscript(place: Int) -> App { places[place] }

  /// Leader: puts another app in a place; requests whose head is complete stay with the one before.
  ///
  /// - Parameter app: has the same mount.
  /// - Returns: the app that was there.
  func replace(_ place: Int, with app: App) -> App {
    let old = places[place]
    precondition(app.mount == old.mount, "an app is replaced by one at the same mount")
    places[place] = app
    if root.pointee != nil { root.pointee = app.calls }
    return old
  }

  /// The app for the request's path, with SCRIPT_NAME and PATH_INFO moved to its mount; nil for none.
  @inline(__always)
  func find(_ exchange: inout Exchange) -> AppCallsPointer? { root.pointee ?? search(&exchange) }

  private func search(_ exchange: inout Exchange) -> AppCallsPointer? {
    let path = Normalizer.joined(exchange.meta.scriptName, exchange.meta.pathInfo, &exchange.arena)
    for app in places where matches(app.mount, path.bytes) {
      let count = app.mount.count
      if count == 0 { return app.calls }
      let name = exchange.arena.copy(UnsafeRawBufferPointer(rebasing: path.bytes[..<count]))
      exchange.meta.scriptName = Text(name, count)
      exchange.meta.pathInfo = Text(path.start! + count, path.count - count)
      return app.calls
    }
    return nil
  }

  private func matches(_ mount: [UInt8], _ path: UnsafeRawBufferPointer) -> Bool {
    guard path.count >= mount.count else { return false }
    for index in mount.indices where path[index] != mount[index] { return false }
    return path.count == mount.count || path[mount.count] == UInt8(ascii: "/") || mount.isEmpty
  }
}
