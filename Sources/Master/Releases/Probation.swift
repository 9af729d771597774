/// The time after a commit in which builds may still be taken back automatically: each has its own, whatever
/// changes are made to the others meanwhile.
struct Probation {
  /// A build that is new.
  struct Trial {
    let build: Build
    /// The build that served in its place.
    let before: Build?
    /// Monotonic nanoseconds.
    let end: UInt64
  }

  /// The release that serves.
  var release: Int
  /// The one before the last change.
  var previous: Release
  var trials: [Trial]
  /// Workers that were killed from outside.
  var kills = 0

  /// Builds that are new.
  var fresh: [Build] { trials.map(\.build) }
  /// When the last of them has proven itself, in monotonic nanoseconds.
  var end: UInt64 { trials.map(\.end).max() ?? 0 }

  /// Those of the last change.
  var young: [Trial] {
    trials.filter { trial in !previous.builds.contains(where: trial.build.isSame) }
  }

  /// The builds to be taken back. If the culprit is unknown, the last change is the most likely one. Builds
  /// that came together with other options go together.
  ///
  /// - Parameter hasOtherOptions: the last change has changed options.
  func blamed(_ culprit: Build?, hasOtherOptions: Bool) -> [Trial] {
    let young = young
    guard let culprit else {
      return young.isEmpty ? trials.filter { $0.end == end } : young
    }
    if hasOtherOptions, young.contains(where: { $0.build.isSame(culprit) }) { return young }
    return trials.filter { $0.build.isSame(culprit) }
  }
}
