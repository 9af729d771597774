import CLinux
import Glibc

/// Every system call of the watch process, one thin function each.
enum System {
  /// Monotonic milliseconds. The corresponding C function is `clock_gettime`.
  static func milliseconds() -> UInt64 { clinux_monotonic_ns() / 1_000_000 }

  /// The corresponding C function is `close`.
  static func close(_ fd: Int32) { _ = Glibc.close(fd) }

  /// The result of accepting.
  enum Accepted {
    case connection(Int32)
    /// Nobody waits, or the client has left.
    case nobody
    /// Somebody waits, but the connection cannot be accepted.
    case failed
  }

  /// Accepts a connection that waits on a socket, without blocking. The corresponding C function is
  /// `accept4`.
  static func accept(_ fd: Int32) -> Accepted {
    let connection = clinux_accept(fd, nil, nil)
    if connection >= 0 { return .connection(connection) }
    return [EAGAIN, EINTR, ECONNABORTED, EPERM].contains(errno) ? .nobody : .failed
  }

  /// For `poll`: something has come, or can be sent.
  static let (inputEvent, roomEvent) = (Int16(POLLIN), Int16(POLLOUT))

  /// Announces that nothing more is sent. The corresponding C function is `shutdown`.
  static func endOutput(_ fd: Int32) { _ = shutdown(fd, Int32(SHUT_WR)) }

  /// Whether the peer has not taken everything. The corresponding C function is `ioctl` with SIOCOUTQ.
  static func hasUnsent(_ fd: Int32) -> Bool {
    var count: Int32 = 0
    return ioctl(fd, UInt(TIOCOUTQ), &count) == 0 && count > 0
  }

  /// The received bytes; empty at the end, nil when there are none. The corresponding C function is `recv`.
  static func receive(_ fd: Int32) -> [UInt8]? {
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = recv(fd, &buffer, buffer.count, Int32(MSG_DONTWAIT))
    if count < 0 { return errno == EAGAIN || errno == EINTR ? nil : [] }
    return Array(buffer[..<count])
  }

  /// Sends bytes; returns how many were taken, nil when the peer is gone. The corresponding C function is
  /// `send`.
  static func send(_ fd: Int32, _ bytes: ArraySlice<UInt8>) -> Int? {
    let count = bytes.withUnsafeBytes {
      Glibc.send(fd, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
    }
    if count < 0 { return errno == EAGAIN || errno == EINTR ? 0 : nil }
    return count
  }

  /// Waits until some of the entries have something to do, for at most this long. The corresponding C
  /// function is `poll`.
  static func wait(_ entries: inout [pollfd], milliseconds: Int32) {
    if poll(&entries, nfds_t(entries.count), milliseconds) < 0 {
      for index in entries.indices { entries[index].revents = 0 }
    }
  }

  /// Whether input comes within the time. The corresponding C function is `poll`.
  static func waitForInput(_ fd: Int32, milliseconds: Int32) -> Bool {
    var entries = [pollfd(fd: fd, events: Int16(POLLIN), revents: 0)]
    return poll(&entries, 1, milliseconds) > 0
  }

  // MARK: The terminal

  /// Makes keys readable at once and without echo; returns the previous settings, nil if there is no
  /// terminal. The corresponding C function is `tcsetattr`.
  static func readKeys() -> termios? {
    var settings = termios()
    guard tcgetattr(STDIN_FILENO, &settings) == 0 else { return nil }
    let before = settings
    settings.c_lflag &= ~tcflag_t(ICANON | ECHO)
    tcsetattr(STDIN_FILENO, TCSANOW, &settings)
    return before
  }

  /// Restores the settings. The corresponding C function is `tcsetattr`.
  static func restore(_ settings: termios) {
    var settings = settings
    tcsetattr(STDIN_FILENO, TCSANOW, &settings)
  }

  /// Columns and rows of the terminal; nil if there is none. The corresponding C function is `ioctl` with
  /// TIOCGWINSZ.
  static func windowSize() -> (columns: Int, rows: Int)? {
    var size = winsize()
    guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else {
      return nil
    }
    return (Int(size.ws_col), Int(size.ws_row))
  }

  /// Has a function called for a signal, which interrupts a waiting call. C function: `sigaction`.
  static func onSignal(_ number: Int32, _ handler: @convention(c) @escaping (Int32) -> Void) {
    var action = sigaction()
    action.__sigaction_handler.sa_handler = handler
    sigaction(number, &action, nil)
  }

  /// The typed bytes; empty at the end. The corresponding C function is `read`.
  static func readInput() -> [UInt8] {
    var buffer = [UInt8](repeating: 0, count: 256)
    let count = read(STDIN_FILENO, &buffer, buffer.count)
    return count > 0 ? Array(buffer[..<count]) : []
  }

  /// Writes to standard output, whole. The corresponding C function is `write`.
  static func write(_ text: String) {
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(STDOUT_FILENO, $0.baseAddress, $0.count) }
      if count < 0, errno != EINTR { return }
      rest = rest.dropFirst(max(0, count))
    }
  }
}
