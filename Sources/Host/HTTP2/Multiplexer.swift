import Config
import Wire

/// An HTTP/2 connection and the streams that it carries. Each stream is a `Connection` record without a
/// socket: the carrier, which owns the socket, feeds its input and drains its outlet. Belongs to the leader
/// alone, except for the TLS session of the carrier, from which requests may read facts.
struct Multiplexer: ~Copyable {
  /// How far its end has come.
  enum Leaving {
    /// It goes on.
    case no
    /// Clients were told to open no more streams, and those that they had opened before they knew are served
    /// (§6.8).
    case announced
    /// It ends with its last stream.
    case last
  }

  struct Stream {
    let id: UInt32
    let record: ConnectionPointer
    /// Part of its answer waits for a window, or for its turn.
    var waits = false
    /// Bytes of answers that the connection had moved at the last look.
    var seen: Int64 = 0
  }

  var session: HTTP2Session
  /// The record with the socket; nil once that is closed.
  var carrier: ConnectionPointer?
  /// Its TLS session, which lives as long as somebody may ask for its facts.
  var tls: Carrier?
  var streams: [Stream] = []
  var leaving = Leaving.no
  /// It is in the list of those that have something to send.
  var isEnlisted = false
  /// Its socket closes: streams that end meanwhile leave the rest to the code that closes it.
  var isEnding = false
  /// Whose turn it is to send, among waiting streams of equal urgency.
  var turn = 0

  init(_ session: consuming HTTP2Session, carrier: ConnectionPointer) {
    self.session = session
    self.carrier = carrier
  }

  func place(of id: UInt32) -> Int? { streams.lastIndex { $0.id == id } }
}

typealias MultiplexerPointer = UnsafeMutablePointer<Multiplexer>

extension UnsafeMutablePointer where Pointee == Connection {
  /// It is a stream of an HTTP/2 connection: it has no socket.
  @inline(__always) var isStream: Bool { outlet.isStream }
  /// It carries streams.
  @inline(__always) var isCarrier: Bool { multiplexer != nil && !isStream }
  /// HTTP/2: the stream.
  var streamID: UInt32 { codec.requestID }
}

extension HTTP2Limits {
  init(_ limits: Limits) { self.init(head: HeadLimits(limits)) }
}
