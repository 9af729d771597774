import Config
import Control

/// What must exist before a master supervises: the log, the bound sockets, the pid file, and the server's own
/// directory. Made and removed by the process that becomes the master.
public final class Groundwork {
  /// A bound socket.
  public struct Socket {
    /// The descriptor; the receiver owns it.
    public let descriptor: Int32
    /// The protocol spoken on it.
    public let gateway: ListenerProtocol
    /// Where it is bound, port 0 replaced by the chosen one.
    public let address: String
    /// "http socket 127.0.0.1:8080 ready".
    public let readyLine: String
  }

  /// A bound socket for those who watch the server.
  public struct WatchSocket {
    /// What is shown there.
    public let kind: WatchSettings.Kind
    let listener: Listener
    /// The descriptor; the receiver owns it.
    public var descriptor: Int32 { listener.fd }
    /// Where it is bound, port 0 replaced by the chosen one.
    public var address: String { "\(listener.address)" }
  }

  /// The sockets for those who watch.
  public let watchSockets: [WatchSocket]
  /// Files that workers may not read themselves.
  public let files: [HandedFile]
  /// They are the ones that serve in the previous master, whatever is on the disk by now.
  public let filesServe: Bool
  /// The sockets, in the order of the settings, then those handed over by a launcher.
  public let sockets: [Socket]
  /// The server's own directory.
  public let directory: String
  /// The same, opened.
  public var directoryDescriptor: Int32 { runtime.descriptor }
  /// The group of the processes that read it, if they run as another user.
  public let group: UInt32?
  /// The user of the processes that run applications and programs.
  public let user: UInt32
  /// A warning to the operator, given once when the server serves; nil for none.
  public let warning: String?
  /// The server's own files, open for as long as this process lives.
  public let held: [HeldFile]
  /// The file of this program.
  public let program: String
  private let settings: Settings
  private let listeners: [Listener]
  private let runtime: RuntimeDirectory
  /// The socket files and the pid file belong to this server: if it follows another, only once it has taken
  /// over, or its failure would remove them from the serving one.
  private var ownsFiles: Bool

  /// Lays it; anything that fails ends the start.
  ///
  /// - Parameter assignment: of a master that follows another one: its sockets exist, and the pid file
  /// comes with `takeOver`.
  public init(_ settings: Settings, following assignment: Assignment? = nil) throws(ServerFailure) {
    self.settings = settings
    let served = assignment?.orders.files ?? []
    filesServe = !served.isEmpty
    files = filesServe ? served : try TLSFiles.read(settings)
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
    (held, program) = (HeldFiles.open(settings), HeldFiles.program)
    sockets = listeners.map {
      Socket(
        descriptor: $0.fd, gateway: $0.spoken, address: "\($0.address)", readyLine: $0.readyLine)
    }
  }

  /// The server now belongs to this process alone: writes that to the pid file.
  public func takeOver() {
    ownsFiles = true
    do throws(ServerFailure) { try ProcessSetup.writePID(settings.process) } catch {
      Server.announce("\(error)")
    }
  }

  /// Makes the directory again if somebody has removed it; false, with errno, if that fails.
  public func remakeDirectory() -> Bool {
    do { try runtime.remake() } catch { return false }
    return true
  }

  /// Tells the launcher (sd_notify(3)).
  public func notify(_ state: String) { ProcessSetup.notify(state) }

  /// Removes what was made: socket files, the pid file, the directory; if the server goes on in another
  /// process, only the directory.
  public func remove(hasHandedOver: Bool) {
    runtime.remove()
    guard ownsFiles, !hasHandedOver else { return }
    for listener in listeners { listener.removeFile() }
    ProcessSetup.end(settings.process)
  }
}
