import Config
import Control

/// The process that shows the server's figures, up to where it serves (the module Watch).
extension Server {
  /// Sets the process up like a worker: the same user, and it ends when the master does.
  public static func becomeWatcher(_ settings: Settings) throws(ServerFailure) {
    ProcessSetup.show(.helper("watcher"), settings.process)
    try ProcessSetup.enter(settings.process, worker: nil)
    System.endWithParent()
  }

  /// The process that distributes lines keeps the master's user.
  public static func becomeCollector(_ settings: Settings) {
    ProcessSetup.show(.helper("logger"), settings.process)
  }

  /// Binds the sockets for those who watch; any that cannot be bound ends the start.
  static func listenForWatchers(_ settings: Settings) throws(ServerFailure) -> [Groundwork.WatchSocket] {
    var sockets: [Groundwork.WatchSocket] = []
    for wanted in settings.watch.listeners {
      do throws(ListenError) {
        let listener = try Listener.bind(
          ListenerSettings(address: wanted.address, gateway: .http1), files: settings.socketFiles,
          limits: settings.limits)
        sockets.append(.init(kind: wanted.kind, listener: listener))
      } catch {
        for socket in sockets { socket.listener.removeFile() }
        throw ServerFailure("\(error)")
      }
    }
    return sockets
  }

  /// Takes those that the previous master hands over.
  static func inheritForWatchers(
    _ sockets: [Orders.Socket], _ settings: Settings
  ) throws(ServerFailure) -> [Groundwork.WatchSocket] {
    let own = sockets.filter { WatchSettings.Kind(rawValue: $0.gateway) != nil }
    let kinds = own.compactMap { WatchSettings.Kind(rawValue: $0.gateway) }
    let plain = own.map {
      Orders.Socket(
        descriptor: $0.descriptor, gateway: ListenerProtocol.http1.rawValue, address: $0.address)
    }
    return zip(kinds, try inherit(plain, settings)).map { .init(kind: $0, listener: $1) }
  }
}
