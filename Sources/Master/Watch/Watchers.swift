import Config
import Control
import Glibc
import Posix

/// A socket for those who watch the server.
public struct WatchSocket: Sendable {
  /// The bound socket; the master's from now on.
  public let descriptor: Int32
  /// What is shown there.
  public let kind: WatchSettings.Kind
  /// Where it is bound, as people write it.
  public let address: String

  /// A socket.
  public init(descriptor: Int32, kind: WatchSettings.Kind, address: String) {
    (self.descriptor, self.kind, self.address) = (descriptor, kind, address)
  }
}

/// The process that shows the figures: it speaks HTTP so that the master need not, and may only read.
struct Watcher {
  let pid: Int32
  let processDescriptor: Int32
  let link: Int32
  /// Monotonic nanoseconds.
  let began = System.now()
  var hearing = Hearing()
}

/// Its life: started when the server serves, restarted when it has ended, and there until the last worker has
/// left, so that load balancers hear of a stop to its end. The server does not depend on it.
extension Master {
  /// Starts it, if anybody may watch.
  func startWatcher() {
    guard watcher == nil, !watchSockets.isEmpty, servesOn else { return }
    var orders = Orders(.watch)
    orders.arguments = releases.current?.arguments ?? plan.arguments
    var handed = HandedMap()
    for socket in watchSockets { handed.add(socket, to: &orders) }
    do throws(SystemError) {
      let stream = try System.streamPair()
      handed.add(stream.other, Orders.masterStream, "-", to: &orders)
      defer { System.close(stream.other) }
      let id = nextNumber()
      do throws(SystemError) { try watch(stream.own, .client(id)) } catch {
        System.close(stream.own)
        throw error
      }
      clients[id] = Client(descriptor: stream.own, isViewer: true)
      let child = try startChild(orders, handed.map, speaks: .watcherLink, ended: .watcherEnd)
      watcher = Watcher(pid: child.pid, processDescriptor: child.processDescriptor, link: child.link)
    } catch {
      MasterLog.error("nobody can watch the server for now: no process for it: \(error)")
      alarms.set(.watcher, seconds: Master.watcherPause)
    }
  }

  /// Seconds before another is started in place of one that has ended.
  private static let watcherPause = 1.0

  /// It says why it cannot start; it has no business saying anything else.
  func watcherSpeaks() {
    guard let link = watcher?.link, let message = hear(link, &watcher!.hearing), message.verb == .failed
    else { return }
    MasterLog.error("nobody can watch the server: \(message["reason"] ?? "")")
  }

  /// It has ended; the server goes on, and another one is started. A server that stops starts none, and
  /// closes the sockets on which nobody answers.
  func watcherEnded() {
    guard let watcher, let ending = System.ending(of: watcher.pid) else { return }
    watcherSpeaks()
    self.watcher = nil
    unwatch(watcher.link)
    unwatch(watcher.processDescriptor)
    guard servesOn else { return endWatching() }
    MasterLog.warning("the process that shows figures ended with \(ending.description); another is started")
    alarms.set(.watcher, seconds: Master.watcherPause)
  }

  /// The server belongs to another master, and these sockets too.
  func closeWatchSockets() {
    for socket in watchSockets { System.close(socket.descriptor) }
    watchSockets = []
    if let watcher { System.signal(watcher.pid, SIGTERM) }
  }

  /// The server ends. Nobody waits for the end of that process: its addresses are free at once, for a server
  /// that is started next, although it has the sockets too. A launcher's socket is the launcher's to close.
  func endWatching() {
    if !plan.settings.watch.listeners.contains(where: \.address.isDescriptor) {
      for socket in watchSockets { System.endListening(socket.descriptor) }
    }
    if let watcher { System.signal(watcher.pid, SIGKILL) }
    closeWatchSockets()
  }
}
