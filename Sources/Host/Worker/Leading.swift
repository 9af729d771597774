/// Who leads, and with `--threads 1` the tasks of the home thread.
struct Leading {
  /// The thread that leads; its number is kept separately, for calls to compare.
  private(set) var thread = HostThread()
  private(set) var id: UInt64 = 0
  /// `--threads 1`: the thread on which apps were loaded; set before `run`.
  var home: HomeThread?
  /// There is a home thread, but it does not lead: no app may be called.
  private(set) var isAway = false
  /// It has just begun to lead: requests may have queued meanwhile.
  var hasQueues = false
  /// Tasks for the home thread (Errands.swift).
  var errands: [Worker.Errand] = []

  /// This thread makes the calls from now on.
  mutating func begin(_ thread: HostThread) {
    (self.thread, id) = (thread, thread.id)
    isAway = home != nil && !thread.isHome
    hasQueues = home != nil && thread.isHome
  }
}
