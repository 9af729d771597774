// WebSockets of an AsyncApp: the host's handlers on one side, a task that awaits messages on the other.
import CNSGI
import Synchronization

/// One WebSocket of an `AsyncApp` (nsgi.websocket/1): a sequence of its client's messages, and a way to send
/// others.
///
///     func respond(to request: AsyncRequest) async throws -> Response {
///       guard request.asksForSocket else { return .status(426) }
///       return try request.accept { socket in
///         for try await message in socket { try await socket.send(message) }
///       }
///     }
///
/// A client that sends faster than its messages are taken has to wait. May be passed on to other tasks, of
/// which any may send; one at a time takes messages. After the end its functions throw `HostError.gone`.
public final class AsyncSocket: AsyncSequence, Sendable {
  /// What is sent, by either side.
  public enum Message: Equatable, Sendable {
    case text(String)
    case binary([UInt8])
  }

  /// How it has ended.
  public struct Closing: Equatable, Sendable {
    /// What the client, or this side, closed with (RFC 6455 §7.4): 1005 for none, 1006 for a connection that
    /// broke.
    public let code: Int
    /// For people; empty as a rule.
    public let reason: String
  }

  private struct State {
    /// Messages that were not taken, in order, and the bytes of them.
    var messages: [Message] = []
    var bytes = 0
    /// The host was asked for no more of them.
    var isPaused = false
    /// This side has closed: whatever comes may stay.
    var isClosing = false
    var closing: Closing?
    /// How often there was room again.
    var drains = 0
    /// Who waits for anything; all look again when something has happened.
    var waiters: [CheckedContinuation<Void, Never>] = []

    func lacks(_ condition: Condition) -> Bool {
      switch condition {
      case .message: messages.isEmpty
      case .room(let before): drains == before
      }
    }

    mutating func takeWaiters() -> [CheckedContinuation<Void, Never>] {
      defer { waiters = [] }
      return waiters
    }
  }

  /// What can be waited for.
  private enum Condition {
    case message
    /// More room than there was after so many drains.
    case room(since: Int)
  }

  /// Messages, and bytes of them, beyond which the client has to wait.
  private static let (mostMessages, mostBytes) = (16, 256 * 1024)

  private let table: UInt
  private let number = Atomic<nsgi_ws_id>(0)
  private let state = Mutex(State())

  private var host: UnsafePointer<nsgi_websocket> { UnsafePointer(bitPattern: table)! }
  private var id: nsgi_ws_id { number.load(ordering: .relaxed) }

  private init(_ table: UnsafePointer<nsgi_websocket>) { self.table = UInt(bitPattern: table) }

  /// How it has ended; nil while it has not.
  public var closing: Closing? { state.withLock { $0.closing } }

  // MARK: Receiving

  /// Takes the messages in the order of their coming.
  public struct AsyncIterator: AsyncIteratorProtocol {
    let socket: AsyncSocket

    /// The next message, as soon as there is one; nil once the socket was closed. Throws `HostError.gone`
    /// when its connection broke, and `CancellationError` in a task that is cancelled.
    public mutating func next() async throws -> Message? { try await socket.next() }
  }

  /// Begins with the first message that was not taken.
  public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(socket: self) }

  private func next() async throws -> Message? {
    while true {
      // Looked at first: messages come before the end.
      let closing = closing
      if let message = take() { return message }
      if let closing {
        if closing.code == 1006 { throw HostError.gone }
        return nil
      }
      try Task.checkCancellation()
      await wait(for: .message)
    }
  }

  private func take() -> Message? {
    state.withLock { state in
      guard !state.messages.isEmpty else { return nil }
      let message = state.messages.removeFirst()
      state.bytes -= Self.size(message)
      if state.isPaused, state.messages.isEmpty {
        state.isPaused = false
        _ = host.pointee.resume(id)
      }
      return message
    }
  }

  private static func size(_ message: Message) -> Int {
    switch message {
    case .text(let text): text.utf8.count
    case .binary(let bytes): bytes.count
    }
  }

  // MARK: Sending

  /// Sends a message; waits, without a thread, while too much waits for the client (`--websocket-queue`).
  public func send(_ message: Message) async throws {
    switch message {
    case .text(let text): try await send(text)
    case .binary(let bytes): try await send(bytes)
    }
  }

  /// Sends a text.
  public func send(_ text: String) async throws { try await send(Array(text.utf8), NSGI_WS_TEXT) }

  /// Sends bytes.
  public func send(_ bytes: [UInt8]) async throws { try await send(bytes, NSGI_WS_BINARY) }

  private func send(_ bytes: [UInt8], _ kind: nsgi_ws_kind) async throws {
    while true {
      let before = state.withLock { $0.drains }
      let result = bytes.withUnsafeBytes {
        host.pointee.send(id, Int32(kind.rawValue), $0.baseAddress, $0.count)
      }
      guard result == NSGI_AGAIN.rawValue else {
        try HostError.check(result)
        return
      }
      try Task.checkCancellation()
      await wait(for: .room(since: before))
    }
  }

  /// Closes after everything that was sent. Does nothing to one that is closing already.
  ///
  /// - Parameters:
  ///   - code: 1000, 1001, 1003, 1007 to 1014, or 3000 to 4999.
  ///   - reason: for people; cut after 123 bytes.
  public func close(_ code: Int = 1000, _ reason: String = "") {
    state.withLock { state in
      // The client's close frame comes behind messages that nobody takes any more.
      if state.isPaused { _ = host.pointee.resume(id) }
      (state.isPaused, state.isClosing) = (false, true)
    }
    _ = Self.lending(reason) { host.pointee.close(id, Int32(clamping: code), $0) }
  }

  // MARK: Topics

  /// From now on it gets what is published under this topic.
  public func subscribe(to topic: String) throws(HostError) {
    try HostError.check(Self.lending(topic) { host.pointee.subscribe(id, $0) })
  }

  /// Gets no more of it.
  public func unsubscribe(from topic: String) throws(HostError) {
    try HostError.check(Self.lending(topic) { host.pointee.unsubscribe(id, $0) })
  }

  private static func lending(_ text: String, _ body: (nsgi_str) -> Int32) -> Int32 {
    var text = text
    return text.withUTF8 { bytes in
      bytes.withMemoryRebound(to: CChar.self) { body(nsgi_str(p: $0.baseAddress, n: $0.count)) }
    }
  }

  // MARK: Waiting

  /// Waits as long as the condition lacks, but no longer than the socket lives or its task is wanted.
  private func wait(for condition: Condition) async {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let waits = state.withLock { state in
          guard state.lacks(condition), state.closing == nil, !Task.isCancelled else { return false }
          state.waiters.append(continuation)
          return true
        }
        if !waits { continuation.resume() }
      }
    } onCancel: {
      wake()
    }
  }

  /// Lets those who wait look again.
  private func wake() {
    let waiters = state.withLock { $0.takeWaiters() }
    for waiter in waiters { waiter.resume() }
  }

  // MARK: The host's side

  /// The table of functions; nil on a server without WebSockets.
  static func functions(of host: HostTable) -> UnsafePointer<nsgi_websocket>? {
    host.pointee.extension("nsgi.websocket/1")?.assumingMemoryBound(to: nsgi_websocket.self)
  }

  /// Accepts for the request of an exchange; nil if the host has refused its handshake, and answered.
  static func accept(
    _ exchange: AsyncExchange, _ subprotocol: String, _ headers: Headers
  ) throws(HostError) -> AsyncSocket? {
    guard let table = functions(of: exchange.host) else { throw .misuse }
    let socket = AsyncSocket(table)
    let kept = Unmanaged.passRetained(socket).toOpaque()
    var (id, handlers) = (nsgi_ws_id(0), Self.handlers)
    let result = exchange.whileAlive {
      lending(subprotocol) { name in
        headers.withPairs(type: nil) { pairs in
          table.pointee.accept(exchange.id, name, pairs.baseAddress, pairs.count, &handlers, kept, &id)
        }
      }
    }
    guard result == NSGI_OK.rawValue else {
      Unmanaged<AsyncSocket>.fromOpaque(kept).release()
      if let result, result != NSGI_GONE.rawValue { try HostError.check(result) }
      return nil
    }
    // No handler runs before the exchange is over.
    socket.number.store(id, ordering: .relaxed)
    return socket
  }

  private static var handlers: nsgi_ws_handlers {
    var handlers = nsgi_ws_handlers()
    handlers.size = UInt32(MemoryLayout<nsgi_ws_handlers>.size)
    handlers.message = { socket, _, kind, bytes, count in
      AsyncSocket.of(socket).takes(kind, UnsafeRawBufferPointer(start: bytes, count: count))
    }
    handlers.drain = { socket, _ in AsyncSocket.of(socket).drained() }
    handlers.closed = { socket, _, code, reason in
      let closing = Closing(code: Int(code), reason: String(reason))
      Unmanaged<AsyncSocket>.fromOpaque(socket!).takeRetainedValue().ended(closing)
    }
    return handlers
  }

  private static func of(_ socket: UnsafeMutableRawPointer?) -> AsyncSocket {
    Unmanaged<AsyncSocket>.fromOpaque(socket!).takeUnretainedValue()
  }

  private func takes(_ kind: Int32, _ bytes: UnsafeRawBufferPointer) {
    let isText = kind == Int32(NSGI_WS_TEXT.rawValue)
    let message = isText ? Message.text(String(decoding: bytes, as: UTF8.self)) : .binary(Array(bytes))
    let waiters = state.withLock { state in
      state.messages.append(message)
      state.bytes += Self.size(message)
      let isMuch = state.messages.count >= Self.mostMessages || state.bytes > Self.mostBytes
      // Under the lock: a pause must not overtake the call that takes it back.
      if isMuch, !state.isPaused, !state.isClosing {
        state.isPaused = true
        _ = host.pointee.pause(id)
      }
      return state.takeWaiters()
    }
    for waiter in waiters { waiter.resume() }
  }

  private func drained() {
    state.withLock { $0.drains += 1 }
    wake()
  }

  private func ended(_ closing: Closing) {
    state.withLock { $0.closing = closing }
    wake()
  }

  // MARK: Its task

  /// Runs what the application does with it, in a task of its own; then closes it, with 1011 if that failed.
  func run(_ log: Log, _ name: String, _ serve: @escaping @Sendable (AsyncSocket) async throws -> Void) {
    Task {
      do {
        try await serve(self)
        self.close()
      } catch HostError.gone, is CancellationError {
        self.close()
      } catch {
        log.error("\(error), serving the WebSocket of \(name)")
        self.close(1011)
      }
    }
  }
}

extension AsyncRequest {
  /// The client asks for a WebSocket (RFC 6455), well or badly.
  public var asksForSocket: Bool {
    guard let table = AsyncSocket.functions(of: exchange.host) else { return false }
    return exchange.whileAlive { table.pointee.asked(exchange.id) } == 1
  }

  /// Accepts the WebSocket that is asked for; to be returned from `respond`. The host answers a malformed
  /// handshake itself, and nothing more happens then.
  ///
  /// - Parameters:
  ///   - subprotocol: one of those that the client offers in Sec-WebSocket-Protocol, or none.
  ///   - headers: further fields of the answer.
  ///   - serve: what is done with the socket, in a task that begins now. The socket is closed with 1000 when
  ///     it returns, or with 1011 when it throws.
  public func accept(
    subprotocol: String = "", headers: Headers = [:],
    _ serve: @escaping @Sendable (AsyncSocket) async throws -> Void
  ) throws(HostError) -> Response {
    if let socket = try AsyncSocket.accept(exchange, subprotocol, headers) {
      socket.run(Log(exchange.host, 0), "\(method) \(path)", serve)
    }
    return Response(body: .streamed)
  }
}
