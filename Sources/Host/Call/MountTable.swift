import CNSGI
import Wire

/// The applications of a worker by mount point: the longest prefix that ends at a segment boundary wins.
///
/// The mounts are fixed; the app at one may be replaced by the leader. Lives as long as the process.
struct MountTable: @unchecked Sendable {
  private let mounted: UnsafeMutableBufferPointer<App>
  /// The only app, if it is at the root: nothing has to be compared.
  private let root: UnsafeMutablePointer<AppCallsPointer?>

  /// - Parameter apps: no two at one mount.
  init(_ apps: [App]) {
    mounted = .allocate(capacity: apps.count)
    _ = mounted.initialize(from: apps.sorted { $0.mount.count > $1.mount.count })
    root = .allocate(capacity: 1)
    root.initialize(to: apps.count == 1 && apps[0].mount.isEmpty ? apps[0].calls : nil)
  }

  /// The apps as they are mounted now. For the leader, or when nobody leads.
  var apps: [App] { Array(mounted) }

  /// The number of mounted applications.
  var count: Int { mounted.count }

  /// The index in the table of the application at a place in the configuration.
  func index(of place: Int) -> Int? { mounted.firstIndex { $0.place == place } }

  /// The app at an index of the table.
  subscript(index: Int) -> App { mounted[index] }

  /// Leader: replaces an app by another; requests whose head is complete stay with the old one.
  ///
  /// - Parameter app: has the same mount.
  /// - Returns: the app that was there.
  func replace(_ index: Int, with app: App) -> App {
    let old = mounted[index]
    precondition(app.mount == old.mount, "an app is replaced by one at the same mount")
    mounted[index] = app
    if root.pointee != nil { root.pointee = app.calls }
    return old
  }

  /// The app for the request's path, with SCRIPT_NAME and PATH_INFO moved to its mount; nil if there is none.
  @inline(__always)
  func find(_ exchange: inout Exchange) -> AppCallsPointer? { root.pointee ?? search(&exchange) }

  private func search(_ exchange: inout Exchange) -> AppCallsPointer? {
    let path = wholePath(&exchange)
    for app in mounted where matches(app.mount, path.bytes) {
      let count = app.mount.count
      if count == 0 { return app.calls }
      let name = exchange.arena.copy(UnsafeRawBufferPointer(rebasing: path.bytes[..<count]))
      exchange.meta.scriptName = Text(name, count)
      exchange.meta.pathInfo = Text(path.start! + count, path.count - count)
      return app.calls
    }
    return nil
  }

  /// The path of a request from the root of the host.
  func wholePath(_ exchange: inout Exchange) -> Text {
    let script = exchange.meta.scriptName.bytes
    // A front end that sends SCRIPT_NAME beside the whole path means the mount, if one has that name.
    let isWhole = exchange.meta.mayHaveWholePath && mounted.contains { script.elementsEqual($0.mount) }
    if isWhole { return exchange.meta.pathInfo }
    return Normalizer.joined(exchange.meta.scriptName, exchange.meta.pathInfo, &exchange.arena)
  }

  private func matches(_ mount: [UInt8], _ path: UnsafeRawBufferPointer) -> Bool {
    guard path.count >= mount.count else { return false }
    for index in mount.indices where path[index] != mount[index] { return false }
    return path.count == mount.count || path[mount.count] == UInt8(ascii: "/") || mount.isEmpty
  }
}
