/// The time after a commit in which builds may still be taken back by themselves: each has its own, whatever
/// is changed of the others meanwhile.
struct Probation {
  /// A build that is new.
  struct Trial {
    let build: Build
    /// What served in its place.
    let before: Build?
    /// Monotonic nanoseconds.
    let end: UInt64
  }

  /// The release that serves.
  var release: Int
  /// The one before the change that was made last.
  var previous: Release
  var trials: [Trial]
  /// Workers that were killed from outside.
  var kills = 0

  /// Builds that are new.
  var fresh: [Build] { trials.map(\.build) }
  /// Monotonic nanoseconds: the last of them has proven itself.
  var end: UInt64 { trials.map(\.end).max() ?? 0 }

  /// Those of the change that was made last.
  var young: [Trial] {
    trials.filter { trial in !previous.builds.contains(where: trial.build.isSame) }
  }

  /// Those that are to go back. Where nobody knows which it was, what came last is the likeliest. Builds that
  /// came with other options go as they came.
  ///
  /// - Parameter hasOtherOptions: the change that was made last has changed options.
  func blamed(_ culprit: Build?, hasOtherOptions: Bool) -> [Trial] {
    let young = young
    guard let culprit else {
      return young.isEmpty ? trials.filter { $0.end == end } : young
    }
    if hasOtherOptions, young.contains(where: { $0.build.isSame(culprit) }) { return young }
    return trials.filter { $0.build.isSame(culprit) }
  }
}
