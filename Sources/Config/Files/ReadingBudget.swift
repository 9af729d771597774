// Bounds the size of a configuration: nested loops and references to references are short to write, but might
// never end.

/// The rest of the budget, shared by all files of a reading.
final class ReadingBudget {
  private var keys = Limits.configurationKeys
  private var bytes = Limits.configurationBytes

  /// More was requested than there is: the entries read so far are not worth checking.
  private(set) var isSpent = false

  /// What a replacement costs in addition to its bytes, so that replacing nothing by nothing ends too.
  static let step = 16

  /// Takes a part of it for the entry at `place`.
  func take(keys wanted: Int = 0, bytes size: Int, _ place: @autoclosure () -> String) throws(ConfigError) {
    guard !isSpent, wanted <= keys, size <= bytes else {
      isSpent = true
      throw .tooMuch(place: place())
    }
    (keys, bytes) = (keys - wanted, bytes - size)
  }

  /// Throws if this much is not available, without taking it.
  func check(keys wanted: Int, bytes size: Int, _ place: @autoclosure () -> String) throws(ConfigError) {
    guard !isSpent, wanted <= keys, size <= bytes else {
      isSpent = true
      throw .tooMuch(place: place())
    }
  }
}
