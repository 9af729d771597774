import Control
import Logging
import Posix

/// The error log: what the operator and the authors of apps read. One line per event, on standard error or in
/// a file; reopened by name for log rotation.
package final class Log: @unchecked Sendable {
  /// The log of this process.
  package static let shared = Log()

  private var logger: Logger
  private static let levels: [Logger.Level] = [.trace, .debug, .info, .warning, .error, .critical]

  private init() {
    logger = Logger(label: "server") { _ in LineHandler() }
    logger.logLevel = .info
  }

  /// The lowest level that is written.
  var level: Logger.Level {
    get { logger.logLevel }
    set { logger.logLevel = newValue }
  }

  var isDebug: Bool { logger.logLevel <= .debug }

  func debug(_ message: @autoclosure () -> String) { logger.debug("\(message())") }
  func info(_ message: @autoclosure () -> String) { logger.info("\(message())") }
  func warning(_ message: @autoclosure () -> String) { logger.warning("\(message())") }
  func error(_ message: @autoclosure () -> String) { logger.error("\(message())") }

  private var path: String?

  /// Sends standard error, and with it both logs, to a file; throws the error of `open`.
  func redirect(to path: String) throws(SystemError) {
    self.path = path
    try System.redirectErrors(to: path)
  }

  /// Reopens the file by name, after it was renamed.
  func reopen() {
    guard let path else { return }
    do { try System.redirectErrors(to: path) } catch {
      self.error("log \(path) cannot be reopened: \(error)")
    }
  }

  /// A line of an application.
  ///
  /// - Parameter request: the id of the request that it is about; empty for none.
  package func app(
    level: Int32, _ text: UnsafeRawBufferPointer,
    request: UnsafeRawBufferPointer = .init(start: nil, count: 0)
  ) {
    let known = Log.levels[Int(max(0, min(5, level)))]
    let mark = request.isEmpty ? "" : "[\(String(decoding: request, as: UTF8.self))] "
    logger.log(level: known, "\(mark)\(Printable.text(text))")
  }
}

/// Writes log lines.
private struct LineHandler: LogHandler {
  var metadata: Logger.Metadata = [:]
  var logLevel = Logger.Level.info

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    LogLine.write("\(event.level)", "\(event.message)")
  }
}
