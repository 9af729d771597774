import Control
import Host
import Master

/// `--daemonize FILE`: a server that leaves its terminal. The process that was called waits until the server
/// serves, or says why it does not.
enum Daemon {
  /// Starts the server in a session of its own; the exit code of the caller.
  static func start(_ arguments: [String], log: String) throws -> Int32 {
    var orders = Orders(.master)
    orders.arguments = arguments
    let verdict: Message?
    do {
      verdict = try MasterLauncher.start(orders, log: log)
    } catch let failure as LaunchFailure {
      throw ServerFailure("\(failure); choose a place you may write to")
    } catch {
      throw ServerFailure("the server cannot leave its terminal: \(error)")
    }
    switch verdict?.verb {
    case .ready: return 0
    case .failed:
      Server.announce(verdict?["reason"] ?? "the server did not start")
      return verdict?.exitCode ?? 1
    default:
      Server.announce("the server did not start; see \(log)")
      return 1
    }
  }
}
