import Wire

/// A connection's way out at a fixed address.
typealias OutletPointer = UnsafeMutablePointer<Outlet>

/// The fields of a record at its fixed address, by the record's pointer alone. (A key path cannot lead
/// through a record that is not copied, so each is written out.)
extension UnsafeMutablePointer where Pointee == Outlet {
  @inline(__always)
  var output: ByteBuffer {
    _read { yield pointee.output }
    nonmutating _modify { yield &pointee.output }
  }
  @inline(__always)
  var file: FileStretch {
    _read { yield pointee.file }
    nonmutating _modify { yield &pointee.file }
  }
  @inline(__always)
  var carrier: Carrier? {
    get { pointee.carrier }
    nonmutating set { pointee.carrier = newValue }
  }
  @inline(__always)
  var replies: Int {
    get { pointee.replies }
    nonmutating set { pointee.replies = newValue }
  }
  @inline(__always) var isStream: Bool { pointee.isStream }
  @inline(__always) var isTunnel: Bool { pointee.isTunnel }
  @inline(__always) var way: Outlet.Way { pointee.way }
  @inline(__always)
  var sent: Int64 {
    get { pointee.sent }
    nonmutating set { pointee.sent = newValue }
  }
  @inline(__always)
  var pace: Pace {
    _read { yield pointee.pace }
    nonmutating _modify { yield &pointee.pace }
  }
  @inline(__always)
  var resets: Bool {
    get { pointee.resets }
    nonmutating set { pointee.resets = newValue }
  }
  @inline(__always)
  var isCut: Bool {
    get { pointee.isCut }
    nonmutating set { pointee.isCut = newValue }
  }

  // MARK: Derived properties

  /// The socket took no more bytes.
  @inline(__always) var isBlocked: Bool { way == .blocked }
  /// The peer is gone: nothing more is sent to it, the connection closes.
  @inline(__always) var isLost: Bool { way == .lost }
  /// Part of an answer is not sent yet.
  @inline(__always) var hasOutput: Bool {
    !output.isEmpty || file.left > 0 || sealed > 0 || !pointee.front.isEmpty
  }
  /// Bytes that wait to be sent.
  @inline(__always) var waiting: Int64 {
    Int64(output.count) + file.left + sealed + Int64(pointee.front.count)
  }
  /// How many of these TLS has sealed already.
  @inline(__always) var sealed: Int64 { carrier.map { Int64($0.waiting) } ?? 0 }
  /// The kernel may send bytes of a file to the socket unchanged: nothing seals them, or puts them between
  /// frames, on their way.
  var takesFiles: Bool { carrier == nil && !isStream }
  /// A peer that causes answers and takes none: it is not listened to until it does.
  var isChoked: Bool { replies > Outlet.repliesBound }

  /// Does what the table says about an event.
  @_transparent func next(_ event: Outlet.Way.Event) { pointee.next(event) }
  /// The socket took this many bytes of the output.
  @inline(__always) func took(_ count: Int) { pointee.took(count) }
  /// Nothing waits any more.
  @inline(__always) func settle() { pointee.settle() }
  /// The peer is gone: drops what waits.
  func lose() { pointee.lose() }
}
