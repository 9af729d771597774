import Control

/// Assigns numbers of the page in which workers report what they spool. A number is reused only when its
/// worker has ended: it is then set to zero.
struct SpoolNumbers {
  private var free = Array((0..<SpoolNumbers.common).reversed())
  private var taken: [Int: Int] = [:]
  /// Shared by workers for whom no number is left: nobody sets it to zero.
  static let common = SpoolShares.count - 1

  /// Assigns a number to a worker.
  mutating func take(for worker: Int) -> Int {
    guard let number = free.popLast() else { return SpoolNumbers.common }
    taken[worker] = number
    return number
  }

  /// A worker has ended; returns the number that was its own.
  mutating func give(backOf worker: Int) -> Int? {
    guard let number = taken.removeValue(forKey: worker) else { return nil }
    free.append(number)
    return number
  }
}

extension Master {
  /// Spools are gone with their worker, however it ended.
  func freeSpoolNumber(of worker: Int) {
    guard let number = spoolNumbers.give(backOf: worker) else { return }
    System.clear(spoolShares, at: SpoolShares.offset(of: number))
  }
}
