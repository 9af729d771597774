import Config
import Control
import Glibc

/// The process that notices the end of a master that could not end the programs beside the server.
extension Server {
  /// Waits for the master's end, and ends the programs that it has left; returns the exit code. It runs as
  /// the programs' user: it may do no more than they may.
  public static func keep(_ settings: Settings, _ assignment: Assignment) throws(ServerFailure) -> Int32 {
    try ProcessSetup.enter(settings.process, worker: nil)
    System.ignoreSignals([SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1])
    var sessions: [Int32: Int32] = [:]
    while true {
      System.waitForInput(assignment.descriptor)
      switch assignment.link.receive() {
      case .message(let message, let descriptor):
        if descriptor >= 0 { System.close(descriptor) }
        if message.verb == .keep { sessions = Self.sessions(message) }
      case .nothing: continue
      case .ended:
        end(sessions)
        return 0
      }
    }
  }

  /// Session leaders, and the signals that end them.
  private static func sessions(_ message: Message) -> [Int32: Int32] {
    var sessions: [Int32: Int32] = [:]
    for text in message.all("program") {
      let numbers = text.split(separator: " ").compactMap { Int32($0) }
      guard numbers.count == 2, numbers[0] > 1, (1...64).contains(numbers[1]) else { continue }
      sessions[numbers[0]] = numbers[1]
    }
    return sessions
  }

  /// Ends them as the master would: those that do not end are killed.
  private static func end(_ sessions: [Int32: Int32]) {
    var left = sessions.filter { System.signalGroup($0.key, $0.value) }
    for _ in 0..<endLooks where !left.isEmpty {
      System.pause(milliseconds: 10)
      left = left.filter { System.signalGroup($0.key, 0) }
    }
    for session in left.keys { _ = System.signalGroup(session, SIGKILL) }
  }

  /// How often ending programs are checked, ten milliseconds apart.
  private static let endLooks = 500
}
