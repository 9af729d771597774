import Control

/// Which number of the page in which workers say what they spool is whose. A number is given again when its
/// worker has ended, and not before: it is made zero then.
struct SpoolNumbers {
  private var free = Array((0..<SpoolNumbers.common).reversed())
  private var taken: [Int: Int] = [:]
  /// What is left for those for whom there is none: nobody makes it zero.
  static let common = SpoolShares.count - 1

  /// The number of a worker from now on.
  mutating func take(for worker: Int) -> Int {
    guard let number = free.popLast() else { return SpoolNumbers.common }
    taken[worker] = number
    return number
  }

  /// A worker has ended; the number that was its own.
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
