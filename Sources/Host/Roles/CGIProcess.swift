import CLinux
import Config
import Control
import Glibc
import Wire

/// CGI/1.1 (RFC 3875): one request from the environment and standard input, one answer on standard output.
///
/// The same exchange, application and encoding as any other protocol; only reading differs, because it may
/// wait. The loop runs if the answer is not complete when the call has returned.
extension Worker {
  /// Serves the one request; returns the process's exit code: 0 when the whole answer went out.
  func runCGI(_ streams: CGIStreams) -> Int32 {
    clinux_disarm_write_signals()
    let thread = HostThread()
    lead(as: thread)
    let connection = connections.take()
    connection.fd = streams.output
    connection.gateway = .cgi
    connection.isNonParsed = CGIEnvironment.isNonParsed
    connection.codec = Codec(.cgi, limits: HeadLimits(limits))
    connection.next(.opened)
    let exchange = begin(connection)
    exchange.head.reset(form: .variables)
    CGIEnvironment.copy(into: &exchange.head.assembled)
    blocks.fill(&connection.input)
    departure.cgi.connection = connection
    do { try reactor.add(inbox.bell, .read, Token(.inbox, slot: 0)) } catch {
      log.error("the event loop cannot be made: \(error)")
      return 1
    }
    if callWatch.coversAll { _ = startWatchdog() }
    var turn = decode(connection)
    var unread = CGIEnvironment.bodyBytes
    while turn == .goesOn, connection.state == .readingBody {
      guard System.waitReadable(streams.input, milliseconds: Int32(limits.bodyTimeoutSeconds * 1000)) else {
        refuse(connection, 408, Worker.bodySentence(408), .bodyPace)
        break
      }
      now = System.now()
      do {
        let count = try takeInput(connection, from: streams.input)
        if count == 0, !connection.codec.inputEnded() {
          log.error("the web server promised more body than it sent")
          refuse(connection, 400, "the request body is shorter than CONTENT_LENGTH")
          break
        }
        unread -= Int64(count)
      } catch {
        log.error("standard input cannot be read: \(error)")
        return 1
      }
      turn = decode(connection)
    }
    awaitAnswer(connection, turn, thread)
    if unread > 0 { readOver(streams) }
    requestLines.access.flush()
    return departure.cgi.hasFailed || trouble.failure != nil ? 1 : 0
  }

  /// The answer came before the end of the request. Apache's mod_cgid makes both streams from one socket, and
  /// closing a socket with unread bytes discards what was sent.
  private func readOver(_ streams: CGIStreams) {
    guard System.isSocket(streams.input) else { return }
    try? System.shutdownWriting(streams.output)
    let buffer = UnsafeMutableRawPointer.allocate(byteCount: BlockPool.blockBytes, alignment: 16)
    defer { buffer.deallocate() }
    let deadline = System.now() &+ UInt64(limits.lingerSeconds * 1e9)
    while System.now() < deadline {
      let left = Int32((deadline &- System.now()) / 1_000_000)
      guard System.waitReadable(streams.input, milliseconds: left),
        let count = try? System.read(streams.input, buffer, BlockPool.blockBytes), count > 0
      else { return }
    }
  }

  /// An asynchronous answer, a call that has left the loop, or a full output: runs the loop to the end of the
  /// one exchange. Then the apps are told that this was all.
  private func awaitAnswer(_ connection: ConnectionPointer, _ turn: Turn, _ thread: HostThread) {
    var turn = turn
    if turn == .goesOn, connection.state != .closed, lead() == .handedOff { turn = .handedOff }
    if callWatch.coversAll { callWatch.dog.end() }
    if turn == .handedOff {
      leadership.waitForEnd()
      departure.isQuiet = leadership.waitForThreads(seconds: 1)
    }
    for app in apps.all { app.drain() }
    thread.leave(all: true)
  }
}

/// The one connection of a CGI process; the loop ends with its answer.
struct CGIRun {
  var connection: ConnectionPointer?
  /// The answer did not reach the web server.
  var hasFailed = false

  /// The answer has left, or cannot; false in any other process.
  @inline(__always)
  var isOver: Bool { connection.map { $0.state == .closed } ?? false }
}

/// The web server's two streams. Apps do not get them: what they print must not become part of the answer,
/// and programs that they leave running must not keep the web server waiting for them to end.
struct CGIStreams {
  let input: Int32
  let output: Int32

  /// Takes them from the places where a CGI program finds them.
  static func take() throws(ServerFailure) -> CGIStreams {
    do throws(SystemError) {
      return CGIStreams(input: try System.moveStandardInput(), output: try System.moveStandardOutput())
    } catch { throw ServerFailure("the web server's streams are not there (\(error.reason))") }
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

  /// Bytes that may come on standard input. Without a length there is no body (§4.1.2), but a front end that
  /// has received one in chunks may send it.
  static var bodyBytes: Int64 {
    if let length = System.environmentValue("CONTENT_LENGTH") { return Int64(length) ?? .max }
    return System.environmentValue("HTTP_TRANSFER_ENCODING") == nil ? 0 : .max
  }

  /// The script's name begins with "nph-": its output is the whole HTTP response (§5.1).
  static var isNonParsed: Bool {
    let name = System.environmentValue("SCRIPT_NAME") ?? System.environmentValue("SCRIPT_FILENAME") ?? ""
    return Paths.name(of: name).hasPrefix("nph-")
  }
}
