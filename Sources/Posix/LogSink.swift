import CLinux
import Glibc
import Synchronization

/// What a log's reader has not taken yet, of whichever sink. Apart from them: the loops ask with each turn,
/// and are to retain nothing for it.
public enum LogBacklog {
  /// A bit for each sink.
  fileprivate static let waits = Atomic<UInt8>(0)
  /// Lines that were dropped since the start.
  fileprivate static let lost = Atomic<Int>(0)

  /// Something waits for its reader: `flush` is worth a call.
  public static var isWaiting: Bool { waits.load(ordering: .relaxed) != 0 }
}

/// Where the lines of this process go: standard error, whatever that is, and for lines of requests a pipe of
/// their own where they are distributed apart. Nobody who writes a line waits for
/// its reader: what is not taken at once is kept up to a bound, and what is above it is dropped and counted.
///
/// From any thread.
public final class LogSink: Sendable {
  /// Bytes that are kept for a reader that is slow. Precedent: a pipe holds 64 KiB.
  public static let bound = 1 << 20

  /// The sink of this process.
  public static let shared = LogSink(bit: 1)
  /// The one for lines of requests, which may be the same. Set before the process has a second thread.
  nonisolated(unsafe) public private(set) static var requests = shared

  private struct State: ~Copyable {
    /// Without a descriptor until the first line.
    var log: clinux_log
    /// Whole lines that were not taken, but that the first may have lost its beginning.
    var waiting: [UInt8] = []
    /// Bytes of `waiting` that are out.
    var sent = 0
    /// Lines that nobody will see, since the last one that told of them.
    var dropped = 0
  }

  private let state: Mutex<State>
  /// Its bit of the backlog.
  private let bit: UInt8

  private init(bit: UInt8, log: clinux_log = clinux_log(fd: -1, way: 0)) {
    state = Mutex(State(log: log))
    self.bit = bit
  }

  /// Gives lines of requests a pipe of their own, whose writers never wait; the sink's from now on.
  public static func separateRequests(_ descriptor: Int32) {
    requests = LogSink(bit: 2, log: clinux_log_of_pipe(descriptor))
  }

  /// Lines of this process, of whichever sink, that were dropped since the start.
  public var drops: Int { LogBacklog.lost.load(ordering: .relaxed) }

  /// Notes whether something waits. Written only when it changes: whoever writes a line mostly reads it.
  private func note(_ isWaiting: Bool) {
    guard isWaiting != (LogBacklog.waits.load(ordering: .relaxed) & bit != 0) else { return }
    if isWaiting {
      LogBacklog.waits.bitwiseOr(bit, ordering: .relaxed)
    } else {
      LogBacklog.waits.bitwiseAnd(~bit, ordering: .relaxed)
    }
  }

  /// Standard error is another file from now on.
  public func renew() {
    guard clinux_is_copy() == 0 else { return }
    state.withLock { clinux_log_open(&$0.log) }
  }

  /// Writes whole lines, each with its newline.
  public func write(_ lines: UnsafeRawBufferPointer) {
    guard clinux_is_copy() == 0 else { return LogSink.writeInCopy(lines) }
    state.withLock { state in
      flush(&state)
      let done = state.waiting.isEmpty ? put(lines, &state) : 0
      if done < lines.count {
        keep(UnsafeRawBufferPointer(rebasing: lines[done...]), afterPart: done, &state)
      }
      note(!state.waiting.isEmpty)
    }
  }

  /// Writes what waits, as far as it is taken.
  public func flush() {
    guard LogBacklog.isWaiting, clinux_is_copy() == 0 else { return }
    state.withLock { state in
      flush(&state)
      note(!state.waiting.isEmpty)
    }
  }

  /// Writes lines of a copy that an application has made by fork(). The lock may be held by a thread that was
  /// not copied, and what waits behind it is the server's to write.
  private static func writeInCopy(_ lines: UnsafeRawBufferPointer) {
    var log = clinux_log(fd: -1, way: 0)
    clinux_log_open(&log)
    defer { clinux_log_close(&log) }
    var (done, patience) = (0, 10)
    while done < lines.count {
      let count = clinux_log_write(&log, lines.baseAddress! + done, piece(lines, from: done))
      guard count >= 0 else { return }
      done += count
      guard count == 0 else { continue }
      // Nobody writes later what a slow reader does not take now.
      patience -= 1
      guard patience > 0 else { return }
      poll(nil, 0, 10)
    }
  }

  /// The process ends: waits a moment for a reader that is slow.
  public func drain(milliseconds: Int32) {
    guard clinux_is_copy() == 0 else { return }
    for _ in 0..<max(1, milliseconds / 10) {
      flush()
      guard LogBacklog.isWaiting else { return }
      poll(nil, 0, 10)
    }
  }

  private func flush(_ state: inout State) {
    guard !state.waiting.isEmpty else { return }
    state.sent += state.waiting.withUnsafeBytes { bytes in
      put(UnsafeRawBufferPointer(rebasing: bytes[state.sent...]), &state)
    }
    guard state.sent == state.waiting.count else { return }
    (state.waiting, state.sent) = ([], 0)
    guard state.dropped > 0 else { return }
    // Room for one more: a line that tells of the others is worth being kept.
    let line = LogLine.text("warning", "\(state.dropped) lines were dropped: nobody took them in time")
    state.dropped = 0
    let bytes = Array(line.utf8)
    let done = bytes.withUnsafeBytes { put($0, &state) }
    state.waiting = Array(bytes[done...])
  }

  /// Bytes that were taken. What cannot be written at all counts as taken, and as dropped.
  private func put(_ bytes: UnsafeRawBufferPointer, _ state: inout State) -> Int {
    if state.log.fd < 0 { clinux_log_open(&state.log) }
    var done = 0
    while done < bytes.count {
      let count = clinux_log_write(&state.log, bytes.baseAddress! + done, LogSink.piece(bytes, from: done))
      if count == 0 { break }
      if count < 0 {
        drop(UnsafeRawBufferPointer(rebasing: bytes[done...]), &state)
        return bytes.count
      }
      done += count
    }
    return done
  }

  /// As many whole lines as a pipe takes in one piece, so that those of several processes stay apart; of a
  /// line that is longer, all.
  private static func piece(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Int {
    let most = 4096
    let left = bytes.count - start
    guard left > most else { return left }
    let newline = UInt8(ascii: "\n")
    if let last = bytes[start..<(start + most)].lastIndex(of: newline) { return last + 1 - start }
    return (bytes[start...].firstIndex(of: newline) ?? bytes.count - 1) + 1 - start
  }

  /// Keeps lines for later. The rest of a line that is partly out is kept whatever its length.
  private func keep(_ lines: UnsafeRawBufferPointer, afterPart done: Int, _ state: inout State) {
    let newline = UInt8(ascii: "\n")
    var rest = lines[...]
    if done > 0, let end = rest.firstIndex(of: newline) {
      state.waiting += rest[...end]
      rest = rest[(end + 1)...]
    }
    while !rest.isEmpty {
      let end = rest.firstIndex(of: newline) ?? rest.endIndex - 1
      let line = rest[...end]
      guard state.waiting.count - state.sent + line.count <= LogSink.bound else {
        return drop(UnsafeRawBufferPointer(rebasing: rest), &state)
      }
      state.waiting += line
      rest = rest[(end + 1)...]
    }
  }

  private func drop(_ lines: UnsafeRawBufferPointer, _ state: inout State) {
    let count = max(1, lines.count { $0 == UInt8(ascii: "\n") })
    state.dropped += count
    LogBacklog.lost.add(count, ordering: .relaxed)
  }
}
