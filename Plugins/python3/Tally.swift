// Calls of this worker, counted where all workers of the server can see them: for `uwsgi.workers()`.
import CPython
import Glibc

/// The counts of a worker's row in the shared memory, as Plugins/python3/uwsgi/shared.py reads them.
private struct TallyRow {
  let pid: UInt32
  let respawns: UInt32
  let began: Double
  var calls: UInt64
  var busy: UInt32
  var failures: UInt32
  /// Times of all calls together, and of the last one.
  var microseconds: UInt64
  var last: UInt64
}

/// The row of this worker; nothing is counted before an application has asked for the module.
enum Tally {
  private nonisolated(unsafe) static var row: UnsafeMutablePointer<TallyRow>?
  private nonisolated(unsafe) static var pid: UInt32 = 0

  /// Counts at a place of a file in memory from now on; false if it cannot be mapped.
  static func begin(_ descriptor: Int32, at place: Int) -> Bool {
    guard row == nil else { return true }
    let page = System.page
    guard place >= 0, place % 8 == 0, place % page + MemoryLayout<TallyRow>.size <= page,
      let start = System.mapShared(descriptor, at: place / page * page, page)
    else { return false }
    pid = System.ownProcess
    row = (start + place % page).assumingMemoryBound(to: TallyRow.self)
    return true
  }

  /// A call begins: returns the time in nanoseconds; 0 if nothing is counted. The interpreter is locked.
  @inline(__always)
  static func began() -> UInt64 {
    guard let row else { return 0 }
    return began(row)
  }

  private static func began(_ row: UnsafeMutablePointer<TallyRow>) -> UInt64 {
    // By now another worker has the place, or this is a copy of the process.
    guard row.pointee.pid == pid else { return 0 }
    row.pointee.busy &+= 1
    return max(1, System.nanoseconds)
  }

  /// A call that began at that time is over. The interpreter is locked.
  @inline(__always)
  static func ended(_ began: UInt64, isGood: Bool) {
    if began != 0 { count(began, isGood) }
  }

  private static func count(_ began: UInt64, _ isGood: Bool) {
    guard let row, row.pointee.pid == pid else { return }
    let time = (System.nanoseconds &- began) / 1000
    row.pointee.busy = row.pointee.busy == 0 ? 0 : row.pointee.busy - 1
    row.pointee.calls &+= 1
    if !isGood { row.pointee.failures &+= 1 }
    row.pointee.microseconds &+= time
    row.pointee.last = time
  }
}
