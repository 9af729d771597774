/// Where an application's calls are counted.
typealias AppCallsPointer = UnsafeMutablePointer<AppCalls>

/// The fields of a record at its fixed address, by the record's pointer alone. (A key path cannot lead
/// through a record that is not copied, so each is written out.)
extension UnsafeMutablePointer where Pointee == AppCalls {
  @inline(__always)
  var active: Int {
    get { pointee.active }
    nonmutating set { pointee.active = newValue }
  }
  @inline(__always)
  var exchanges: Int {
    get { pointee.exchanges }
    nonmutating set { pointee.exchanges = newValue }
  }
  @inline(__always)
  var asynchronous: Int {
    get { pointee.asynchronous }
    nonmutating set { pointee.asynchronous = newValue }
  }
  @inline(__always)
  var absent: Int {
    get { pointee.absent }
    nonmutating set { pointee.absent = newValue }
  }
  @inline(__always)
  var caller: UInt64 {
    get { pointee.caller }
    nonmutating set { pointee.caller = newValue }
  }
  @inline(__always) var limit: Int { pointee.limit }
  @inline(__always) var neverWaits: Bool { pointee.neverWaits }
  @inline(__always) var isWatched: Bool { pointee.isWatched }
  @inline(__always) var mayAsync: Bool { pointee.mayAsync }
  @inline(__always) var streamsIn: Bool { pointee.streamsIn }
  @inline(__always) var place: Int { pointee.place }
  @inline(__always) var generation: UInt32 { pointee.generation }
  @inline(__always) var watchesThreads: Bool { pointee.watchesThreads }
  @inline(__always) var waiting: Int { pointee.waiting }

  // MARK: Derived properties

  /// For log lines, and anything that is not hot.
  var app: App { pointee.app }
  var uncalled: Int { pointee.uncalled }
}
