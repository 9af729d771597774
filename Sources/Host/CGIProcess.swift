import CLinux
import Config
import Glibc
import Wire

/// CGI/1.1 (RFC 3875): one request from the environment and standard input, one answer on standard output.
///
/// The same exchange, application and encoding as any other protocol; only reading differs: it may wait.
extension Worker {
  /// Serves the one request; returns the process's exit code: 0 when the whole answer went out.
  func runCGI() -> Int32 {
    clinux_ignore_sigpipe()
    let connection = connections.take()
    connection.pointee.fd = STDOUT_FILENO
    connection.pointee.gateway = .cgi
    connection.pointee.isNonParsed = CGIEnvironment.isNonParsed
    connection.pointee.codec = Codec(.cgi, limits: HeadLimits(limits))
    connection.pointee.state = .idle
    let exchange = begin(connection)
    exchange.pointee.head.reset(form: .variables)
    CGIEnvironment.copy(into: &exchange.pointee.head.assembled)
    blocks.fill(&connection.pointee.input)
    _ = decode(connection)
    while connection.pointee.state == .readingBody {
      now = System.now()
      do {
        let count = try System.read(
          STDIN_FILENO, connection.pointee.input.tail, connection.pointee.input.room)
        if count == 0 {
          log.error("the web server promised more body than it sent")
          refuse(connection, 400, "the request body is shorter than CONTENT_LENGTH")
          break
        }
        connection.pointee.input.commit(count)
      } catch {
        log.error("standard input cannot be read: \(error)")
        return 1
      }
      _ = decode(connection)
    }
    accessLog.flush()
    return cgiFailed ? 1 : 0
  }
}

/// The process's environment as a CGI request head.
enum CGIEnvironment {
  /// Appends NAME=value NUL for each variable.
  static func copy(into buffer: inout ByteBuffer) {
    var entry = environ
    while let text = entry.pointee {
      buffer.append(UnsafeRawBufferPointer(start: text, count: strlen(text) + 1))
      entry += 1
    }
  }

  /// The script's name begins with "nph-": its output is the whole HTTP response (§5.1).
  static var isNonParsed: Bool {
    let name = System.environmentValue("SCRIPT_NAME") ?? System.environmentValue("SCRIPT_FILENAME") ?? ""
    return name.split(separator: "/").last?.hasPrefix("nph-") ?? false
  }
}
