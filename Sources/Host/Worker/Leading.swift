/// Who leads, and what belongs to the home thread.
struct Leading {
  /// The thread that leads; its number is kept separately, for calls to compare.
  private(set) var thread = HostThread()
  private(set) var id: UInt64 = 0
  /// The thread on which apps were loaded, with `--threads 1` or a guest loop; set before `run`.
  private(set) var home: HomeThread?
  /// There is a home thread, but it does not lead: no app may be called.
  private(set) var isAway = false
  /// It has just begun to lead: requests may have queued meanwhile.
  var hasQueues = false
  /// The event loop that runs on the home thread.
  var guest = GuestSeat()
  /// Tasks for the home thread (Errands.swift).
  var errands: [Worker.Errand] = []

  /// The applications are loaded, at home if there is one.
  mutating func settle(_ home: HomeThread?) { (self.home, guest.loop) = (home, GuestLoops.led) }

  /// This thread makes the calls from now on.
  mutating func begin(_ thread: HostThread) {
    (self.thread, id) = (thread, thread.id)
    isAway = home != nil && !thread.isHome
    hasQueues = home != nil && thread.isHome
  }
}
