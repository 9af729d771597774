// How much a configuration may come to: loops in loops and references to references are short to write, and
// would never end.

/// What is left of it; one for all files of a reading.
final class ReadingBudget {
  private var keys = Limits.configurationKeys
  private var bytes = Limits.configurationBytes

  /// More was asked for than there is: what was read is not worth being looked at.
  private(set) var isSpent = false

  /// What a replacement costs beside its bytes, so that one of nothing by nothing ends too.
  static let step = 16

  /// Takes a part of it for what stands at `place`.
  func take(keys wanted: Int = 0, bytes size: Int, _ place: @autoclosure () -> String) throws(ConfigError) {
    guard !isSpent, wanted <= keys, size <= bytes else {
      isSpent = true
      throw .tooMuch(place: place())
    }
    (keys, bytes) = (keys - wanted, bytes - size)
  }

  /// Whether so much could be had, without taking it.
  func check(keys wanted: Int, bytes size: Int, _ place: @autoclosure () -> String) throws(ConfigError) {
    guard !isSpent, wanted <= keys, size <= bytes else {
      isSpent = true
      throw .tooMuch(place: place())
    }
  }
}
