import CLinux
import CNSGI
import Glibc
import Wire

/// From an application to the client of a WebSocket, on any thread. The holder of the socket's lock owns its
/// connection's outlet, and sends what the kernel takes; the leader sends the rest later. Over HTTP/2 the
/// leader sends all of it: socket and windows belong to the connection that carries the stream.
extension Worker {
  /// Messages below this many bytes are not compressed: they would hardly get shorter.
  private static let leastCompressed = 64
  /// Messages up to this many bytes are copied after others; longer ones are sent from where they are.
  private static let mostCopied = 16 * 1024

  /// send(), lend() and ping(), under the lock.
  ///
  /// - Parameter isLent: the bytes are sent from where they are, however few, unless others wait; what the
  ///   client does not take at once is copied all the same.
  func send(
    _ socket: WebSocketPointer, _ opcode: WebSocketOpcode, _ bytes: UnsafeRawBufferPointer,
    isLent: Bool = false
  ) -> Int32 {
    guard takesFrames(socket) else { return NSGI_GONE.rawValue }
    guard hasRoom(socket, bytes.count) else { return NSGI_AGAIN.rawValue }
    if !opcode.isControl, bytes.count >= Worker.leastCompressed, socket.pointee.deflate != nil {
      var packed = ByteBuffer()
      if compress(socket, bytes, into: &packed) {
        put(socket, opcode, isCompressed: true, packed.bytes)
        return NSGI_OK.rawValue
      }
    }
    put(socket, opcode, isCompressed: false, bytes, mostCopied: isLent ? 0 : Worker.mostCopied)
    return NSGI_OK.rawValue
  }

  /// send_frame(), under the lock.
  func send(_ socket: WebSocketPointer, _ frame: SocketFrame) -> Int32 {
    guard takesFrames(socket) else { return NSGI_GONE.rawValue }
    // A window of its own has to see each message: compresses it again.
    if let agreed = socket.pointee.deflate, agreed.serverKeepsContext {
      return frame.payload.withUnsafeBytes { send(socket, frame.opcode, $0) }
    }
    let bits = socket.pointee.deflate?.serverWindow
    return frame.withBytes(bits, webSockets) { bytes in
      guard hasRoom(socket, bytes.count) else { return NSGI_AGAIN.rawValue }
      pass(socket, bytes)
      return NSGI_OK.rawValue
    }
  }

  /// Bytes that wait for the client, under the lock.
  func waiting(_ socket: WebSocketPointer) -> Int64 {
    guard let connection = socket.connection else { return Int64(socket.pointee.early.count) }
    return connection.outlet.waiting
  }

  private func takesFrames(_ socket: WebSocketPointer) -> Bool {
    switch socket.state {
    case .opening, .open: true
    case .free, .closing, .closed: false
    }
  }

  private func hasRoom(_ socket: WebSocketPointer, _ count: Int) -> Bool {
    let waiting = waiting(socket)
    if waiting == 0 || waiting + Int64(count) <= Int64(limits.webSocketQueueBytes) { return true }
    // The kernel may take some of it.
    trySend(socket)
    let left = self.waiting(socket)
    if left == 0 || left + Int64(count) <= Int64(limits.webSocketQueueBytes) { return true }
    socket.wantsDrain = true
    return false
  }

  /// False if that makes it no shorter.
  private func compress(
    _ socket: WebSocketPointer, _ bytes: UnsafeRawBufferPointer, into out: inout ByteBuffer
  ) -> Bool {
    guard let agreed = socket.pointee.deflate else { return false }
    if agreed.serverKeepsContext {
      if socket.pointee.deflater == nil {
        socket.pointee.deflater = Deflater(compressing: true, bits: agreed.serverWindow)
      }
      return socket.pointee.deflater?.deflate(bytes, into: &out) ?? false
    }
    return webSockets.deflate(bytes, bits: agreed.serverWindow, into: &out) && out.count < bytes.count
  }

  // MARK: Under the lock

  /// Writes a frame, and sends it unless more is to come.
  private func put(
    _ socket: WebSocketPointer, _ opcode: WebSocketOpcode, isCompressed: Bool,
    _ bytes: UnsafeRawBufferPointer, mostCopied: Int = Worker.mostCopied
  ) {
    if bytes.count > mostCopied {
      withUnsafeTemporaryAllocation(byteCount: WebSocketWriter.headBytes, alignment: 8) { head in
        let count = WebSocketWriter.head(
          opcode, isCompressed: isCompressed, bytes.count, to: head.baseAddress!)
        pass(socket, UnsafeRawBufferPointer(rebasing: head[..<count]), bytes)
      }
      return
    }
    guard let connection = socket.connection else {
      return WebSocketWriter.write(opcode, isCompressed: isCompressed, bytes, into: &socket.pointee.early)
    }
    let outlet = connection.outlet
    let waits = isCorked(socket)
    if waits { fill(outlet, socket) }
    WebSocketWriter.write(opcode, isCompressed: isCompressed, bytes, into: &outlet.output)
    if !waits || outlet.output.count > BlockPool.blockBytes { trySend(socket) }
  }

  /// Sends bytes that are frames already, without a copy if nothing else waits.
  private func pass(
    _ socket: WebSocketPointer, _ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer = .none
  ) {
    guard let connection = socket.connection else {
      socket.pointee.early.append(first)
      return socket.pointee.early.append(second)
    }
    let outlet = connection.outlet
    var done = 0
    if outlet.carrier == nil, !outlet.isStream, !outlet.isBlocked, !outlet.isLost, outlet.output.isEmpty {
      do throws(SystemError) {
        done =
          second.isEmpty
          ? try System.send(connection.fd, first.baseAddress!, first.count)
          : try System.send(connection.fd, first, second)
      } catch {
        if !error.wouldBlock { return lose(socket, outlet) }
      }
      if done == first.count + second.count { return }
    }
    let left = max(0, first.count - done)
    outlet.output.append(UnsafeRawBufferPointer(rebasing: first[(first.count - left)...]))
    outlet.output.append(UnsafeRawBufferPointer(rebasing: second[max(0, done - first.count)...]))
    if !isCorked(socket) { trySend(socket) }
  }

  /// This thread is inside a handler of this socket, on the loop: the handler's output leaves together when
  /// it returns.
  private func isCorked(_ socket: WebSocketPointer) -> Bool {
    ownCall(socket).map { !$0.isDetached } ?? false
  }

  /// The call of a handler of this socket that this thread is inside.
  private func ownCall(_ socket: WebSocketPointer) -> ExchangePointer? {
    guard let current = clinux_get_current() else { return nil }
    let exchange = current.assumingMemoryBound(to: Exchange.self)
    return exchange.socket == socket && exchange.socketCall != .none ? exchange : nil
  }

  /// Gives the output of a handler a block of the pool. That is the leader's, and this thread leads only for
  /// as long as the watchdog leaves it alone: it does inside the host. Otherwise the output grows by itself.
  private func fill(_ outlet: OutletPointer, _ socket: WebSocketPointer) {
    guard outlet.output.block == nil, let exchange = ownCall(socket),
      exchange.race(.entered, likely: .app) == .goOn
    else { return }
    blocks.fill(&outlet.output)
    exchange.next(.left)
  }

  /// Sends what the kernel takes now.
  private func trySend(_ socket: WebSocketPointer) {
    guard let connection = socket.connection else { return }
    let outlet = connection.outlet
    guard !outlet.isLost else { return }
    do throws(SystemError) {
      try send(outlet, connection.fd)
      outlet.settle()
      // The pool belongs to the leader.
      outlet.output = ByteBuffer()
    } catch {
      if error.wouldBlock { announce(socket) } else { lose(socket, outlet) }
    }
  }

  private func lose(_ socket: WebSocketPointer, _ outlet: OutletPointer) {
    outlet.lose()
    socket.state = .closed
    socket.isLost = true
    announce(socket)
  }

  /// Asks the leader to look at it.
  func announce(_ socket: WebSocketPointer) {
    guard !socket.isAnnounced else { return }
    socket.isAnnounced = true
    inbox.post(.socket(socket.id))
  }

  // MARK: The leader's side

  /// Handles what the leader was asked to do.
  func heedSocket(_ id: nsgi_ws_id) -> Turn {
    guard let socket = WorkerRegistry.socket(id), socket.id == id else { return .goesOn }
    let (connection, isClosing) = socket.locked {
      socket.isAnnounced = false
      return (socket.connection, socket.state == .closing)
    }
    guard let connection, connection.socket == socket else { return .goesOn }
    if isClosing { awaitClose(socket) }
    guard connection.state == .upgraded else {
      flushSocket(connection, socket)
      return .goesOn
    }
    if isClosing, connection.timeout != .socketClose { setTimeout(connection, of: socket) }
    return serveSocket(connection, socket)
  }

  /// How much of what waits for a client has left.
  private enum Taken {
    case all
    case part
    /// Nothing can be sent any more, or it takes too little.
    case nothing
  }

  /// Under the lock: sends what waits.
  private func sendWaiting(_ connection: ConnectionPointer) -> Taken {
    if connection.isStream {
      switch moveTunnel(connection) {
      case .all: return .all
      case .more, .blocked: return keepsPace(connection) ? .part : .nothing
      case .over: return .nothing
      }
    }
    do throws(SystemError) { try send(connection.outlet, connection.fd) } catch {
      return error.wouldBlock && keepsPace(connection) ? .part : .nothing
    }
    return .all
  }

  /// Under the lock: whether a client takes what waits for it, and fast enough. Checked whenever it sends
  /// something, too: that alone does not show that it takes anything. With HTTP/2 it is not to blame for what
  /// others hold up.
  func keepsPace(_ connection: ConnectionPointer) -> Bool {
    let outlet = connection.outlet
    if connection.isStream, awaitsTurn(connection) || othersGo(connection) {
      _ = rest(outlet)
      return true
    }
    return secondsMore(outlet, connection.fd, at: now) != nil
  }

  /// Sends what waits; the rest goes when the socket can be written again.
  func flushSocket(_ connection: ConnectionPointer, _ socket: WebSocketPointer) {
    let outlet = connection.outlet
    socket.pointee.lock.lock()
    let taken = outlet.isLost ? Taken.all : sendWaiting(connection)
    switch taken {
    case .all:
      outlet.next(.drained)
      outlet.settle()
      blocks.empty(&outlet.output)
      if outlet.pointee.front.block != nil { blocks.empty(&outlet.pointee.front) }
    case .part: outlet.next(.filled)
    case .nothing:
      outlet.lose()
      socket.state = .closed
      socket.isLost = true
    }
    if socket.wantsDrain, outlet.waiting <= Int64(limits.webSocketQueueBytes / 2) {
      socket.wantsDrain = false
      socket.owesDrain = true
    }
    let isLost = socket.isLost
    let isPaused = socket.isPaused && socket.closesBy == 0
    socket.pointee.lock.unlock()
    if isLost { socketEnds(connection, socket, WebSocketGrammar.broken) }
    if socket.owesDrain, connection.state == .upgraded { lookSoon(connection) }
    // Of a stream, windows and turns are reported, and input is brought.
    if connection.isStream { return connection.interest = [] }
    guard !isLost else { return setInterest(connection, []) }
    let reads: Interest = connection.state == .upgraded && !isPaused ? .read : []
    setInterest(connection, taken == .part ? reads.union(.write) : reads)
  }

  /// All input was read: sends the output, and waits for the next bytes.
  func settleSocket(_ connection: ConnectionPointer, _ socket: WebSocketPointer) {
    if connection.input.isEmpty { blocks.empty(&connection.input) }
    if connection.isStream { giveWindow(connection) }
    flushSocket(connection, socket)
    keepPace(connection, socket)
    watchDebts(connection, socket)
  }

  /// Answers a ping, unless its client takes nothing.
  func pong(_ socket: WebSocketPointer, _ payload: UnsafeRawBufferPointer) {
    socket.locked {
      guard takesFrames(socket), let connection = socket.connection else { return }
      guard connection.outlet.output.count <= Outlet.repliesBound + limits.webSocketQueueBytes else { return }
      blocks.fill(&connection.outlet.output)
      WebSocketWriter.write(.pong, payload, into: &connection.outlet.output)
    }
  }
}

/// A message that goes out to many clients: encoded once, and once more for each window size in use.
///
/// Unchecked: `packed` is guarded by `lock`.
final class SocketFrame: @unchecked Sendable {
  let opcode: WebSocketOpcode
  let payload: [UInt8]
  private let plain: [UInt8]
  private let lock = Monitor()
  private var packed: [Int: [UInt8]] = [:]

  init(_ opcode: WebSocketOpcode, _ bytes: UnsafeRawBufferPointer) {
    (self.opcode, payload) = (opcode, Array(bytes))
    var out = ByteBuffer()
    WebSocketWriter.write(opcode, bytes, into: &out)
    plain = Array(out.bytes)
  }

  /// The frame for a socket.
  ///
  /// - Parameter bits: the window's; nil without compression.
  func withBytes<Answer>(
    _ bits: Int?, _ sockets: WebSockets, _ body: (UnsafeRawBufferPointer) -> Answer
  ) -> Answer {
    guard let bits, payload.count >= SocketFrame.leastCompressed else { return plain.withUnsafeBytes(body) }
    lock.lock()
    if packed[bits] == nil { packed[bits] = pack(bits, sockets) }
    let frame = packed[bits] ?? plain
    lock.unlock()
    return frame.withUnsafeBytes(body)
  }

  private static let leastCompressed = 64

  private func pack(_ bits: Int, _ sockets: WebSockets) -> [UInt8] {
    var text = ByteBuffer()
    var out = ByteBuffer()
    let isShorter = payload.withUnsafeBytes { sockets.deflate($0, bits: bits, into: &text) }
    guard isShorter, text.count < payload.count else { return plain }
    WebSocketWriter.write(opcode, isCompressed: true, text.bytes, into: &out)
    return Array(out.bytes)
  }
}
