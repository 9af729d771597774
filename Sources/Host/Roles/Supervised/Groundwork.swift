import Config
import Control

/// What has to be there before a master supervises: the log, the bound sockets, the pid file, and the
/// server's own directory. Made and removed by the process that becomes the master.
public final class Groundwork {
  /// A bound socket.
  public struct Socket {
    /// The descriptor; the taker's.
    public let descriptor: Int32
    /// What is spoken on it.
    public let gateway: ListenerProtocol
    /// Where it is bound, port 0 replaced by the chosen one.
    public let address: String
    /// "http socket 127.0.0.1:8080 ready".
    public let readyLine: String
  }

  /// A bound socket for who watches the server.
  public struct WatchSocket {
    /// What is told there.
    public let kind: WatchSettings.Kind
    let listener: Listener
    /// The descriptor; the taker's.
    public var descriptor: Int32 { listener.fd }
    /// Where it is bound, port 0 replaced by the chosen one.
    public var address: String { "\(listener.address)" }
  }

  /// The sockets for who watches.
  public let watchSockets: [WatchSocket]
  /// Files that those who serve may not read themselves.
  public let files: [HandedFile]
  /// The sockets, in the order of the settings, then those that a launcher handed over.
  public let sockets: [Socket]
  /// The server's own directory.
  public let directory: String
  /// The same, opened.
  public var directoryDescriptor: Int32 { runtime.descriptor }
  /// The group of the processes that read it, if they are another user's.
  public let group: UInt32?
  /// The user of the processes that run applications and programs.
  public let user: UInt32
  /// What the operator is told once when the server serves; nil for nothing.
  public let warning: String?
  private let settings: Settings
  private let listeners: [Listener]
  private let runtime: RuntimeDirectory
  /// The socket files and the pid file are this server's: of one that follows another only once it has taken
  /// over, or its failure would take them from the one that serves.
  private var ownsFiles: Bool

  /// Lays it; whatever cannot be had ends the start.
  ///
  /// - Parameter assignment: of a master that follows another one: its sockets are there, and the pid file
  /// comes with `takeOver`.
  public init(_ settings: Settings, following assignment: Assignment? = nil) throws(ServerFailure) {
    self.settings = settings
    files = try TLSFiles.read(settings)
    if let path = settings.log.file { try Server.redirectLog(path) }
    for destination in settings.log.routing.destinations + settings.log.routing.requestDestinations {
      if case .file(let path, _, _) = destination.place { try Server.tryLog(path) }
    }
    ProcessSetup.begin(settings.process)
    ProcessSetup.show(.master, settings.process)
    let identity = try Identity.ofChildren(settings.process)
    let handedOver = assignment?.orders.sockets ?? []
    let inherited = handedOver.filter { WatchSettings.Kind(rawValue: $0.gateway) == nil }
    let listeners = try inherited.isEmpty ? Server.listen(settings) : Server.inherit(inherited, settings)
    do throws(ServerFailure) {
      watchSockets =
        try inherited.isEmpty
        ? Server.listenForWatchers(settings) : Server.inheritForWatchers(handedOver, settings)
    } catch {
      if inherited.isEmpty { for listener in listeners { listener.removeFile() } }
      throw error
    }
    self.listeners = listeners + watchSockets.map(\.listener)
    var hasPIDFile = false
    do throws(ServerFailure) {
      if inherited.isEmpty {
        try ProcessSetup.writePID(settings.process)
        hasPIDFile = true
      }
      runtime = try Server.runtimeDirectory(settings, for: identity)
    } catch {
      if inherited.isEmpty {
        for listener in self.listeners { listener.removeFile() }
        if hasPIDFile { ProcessSetup.end(settings.process) }
      }
      throw error
    }
    ownsFiles = inherited.isEmpty
    (directory, group) = (runtime.path, identity?.group)
    user = identity?.user ?? System.effectiveUser
    warning = inherited.isEmpty ? ProcessSetup.warning(settings.process) : nil
    sockets = listeners.map {
      Socket(
        descriptor: $0.fd, gateway: $0.spoken, address: "\($0.address)", readyLine: $0.readyLine)
    }
  }

  /// The server is this process's alone: the pid file says so.
  public func takeOver() {
    ownsFiles = true
    do throws(ServerFailure) { try ProcessSetup.writePID(settings.process) } catch {
      Server.announce("\(error)")
    }
  }

  /// Makes the directory again that somebody has removed; false, with errno, if that cannot be.
  public func remakeDirectory() -> Bool {
    do { try runtime.remake() } catch { return false }
    return true
  }

  /// Tells the launcher (sd_notify(3)).
  public func notify(_ state: String) { ProcessSetup.notify(state) }

  /// Removes what was made: socket files, the pid file, the directory; of a server that goes on in another
  /// process only the directory.
  public func remove(hasHandedOver: Bool) {
    runtime.remove()
    guard ownsFiles, !hasHandedOver else { return }
    for listener in listeners { listener.removeFile() }
    ProcessSetup.end(settings.process)
  }
}
