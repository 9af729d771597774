/// The fields of a WebSocket at its fixed address, by its pointer alone.
extension UnsafeMutablePointer where Pointee == WebSocket {
  @inline(__always)
  var state: WebSocket.State {
    get { pointee.state }
    nonmutating set { pointee.state = newValue }
  }
  @inline(__always)
  var connection: ConnectionPointer? {
    get { pointee.connection }
    nonmutating set { pointee.connection = newValue }
  }
  @inline(__always)
  var isPaused: Bool {
    get { pointee.isPaused }
    nonmutating set { pointee.isPaused = newValue }
  }
  @inline(__always)
  var wantsDrain: Bool {
    get { pointee.wantsDrain }
    nonmutating set { pointee.wantsDrain = newValue }
  }
  @inline(__always)
  var isAnnounced: Bool {
    get { pointee.isAnnounced }
    nonmutating set { pointee.isAnnounced = newValue }
  }
  @inline(__always)
  var isLost: Bool {
    get { pointee.isLost }
    nonmutating set { pointee.isLost = newValue }
  }
  @inline(__always)
  var owesDrain: Bool {
    get { pointee.owesDrain }
    nonmutating set { pointee.owesDrain = newValue }
  }
  @inline(__always)
  var wasHeard: Bool {
    get { pointee.wasHeard }
    nonmutating set { pointee.wasHeard = newValue }
  }
  @inline(__always)
  var isPinged: Bool {
    get { pointee.isPinged }
    nonmutating set { pointee.isPinged = newValue }
  }
  @inline(__always)
  var closesBy: UInt64 {
    get { pointee.closesBy }
    nonmutating set { pointee.closesBy = newValue }
  }
  @inline(__always)
  var endCode: UInt16 {
    get { pointee.endCode }
    nonmutating set { pointee.endCode = newValue }
  }
}
