import Config
import Control

/// The process that becomes one of the operator's programs.
extension Server {
  /// Becomes it: with the user and the directory of the applications, if that is asked for, and ends when the
  /// master does. Returns only if that fails.
  public static func becomeProgram(_ settings: Settings, _ orders: Orders) throws(ServerFailure) {
    if orders.tries { try ProcessSetup.enter(settings.process, worker: nil) }
    System.endWithParent()
    let error = System.become("/bin/sh", ["sh", "-c", orders.commandLine.joined(separator: " ")])
    throw ServerFailure("/bin/sh cannot be started (\(error.reason)); install it")
  }
}
