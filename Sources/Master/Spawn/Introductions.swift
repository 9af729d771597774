import Control

/// Which workers should be introduced to one another, and which have been: each pair once, for as long as
/// both live.
struct Introductions {
  /// Those that have asked, and whom each has been introduced to.
  private var met: [Int: Set<Int>] = [:]

  /// A worker has asked; false if it had before.
  mutating func admit(_ worker: Int) -> Bool {
    guard met[worker] == nil else { return false }
    met[worker] = []
    return true
  }

  /// A worker has ended: nobody is introduced to it any more.
  mutating func forget(_ worker: Int) {
    for other in met.removeValue(forKey: worker) ?? [] { met[other]?.remove(worker) }
  }

  /// Both of a pair have their ends.
  mutating func introduced(_ one: Int, _ other: Int) {
    guard one != other, met[one] != nil, met[other] != nil else { return }
    met[one]!.insert(other)
    met[other]!.insert(one)
  }

  /// How many others a worker has been introduced to that have not ended.
  func count(of worker: Int) -> Int { met[worker]?.count ?? 0 }

  /// The pairs that have not been introduced, the oldest workers first.
  var due: [(Int, Int)] {
    let all = met.keys.sorted()
    var pairs: [(Int, Int)] = []
    for (place, one) in all.enumerated() {
      for other in all[(place + 1)...] where met[one]?.contains(other) == false { pairs.append((one, other)) }
    }
    return pairs
  }
}

/// Links between workers, on which a message of a topic reaches the sockets of all of them. The master makes
/// them, hands them over and keeps nothing: what is said there is none of its business (docs/decisions/014).
extension Master {
  /// A worker asks to be introduced: only one whose loop turns would take its end.
  func wantsIntroductions(_ worker: WorkerHandle) {
    switch phase(of: worker) {
    case .serving, .leaving: if introductions.admit(worker.id) { introduce() }
    case .loading, nil: break
    }
  }

  /// Introduces all pairs that have not met. One that fails is tried again at the next look.
  func introduce() {
    var failure: SystemError?
    for (first, second) in introductions.due {
      guard let one = workers[first], let other = workers[second] else { continue }
      do throws(SystemError) {
        let pair = try System.streamPair()
        defer {
          System.close(pair.own)
          System.close(pair.other)
        }
        // If only the first gets its end, it finds nobody there, and closes it.
        try one.meet(other, pair.own)
        try other.meet(one, pair.other)
        introductions.introduced(first, second)
      } catch { failure = error }
    }
    if let failure, !hasFailedToIntroduce {
      MasterLog.warning("workers cannot be introduced, which is tried again each second: \(failure)")
    }
    hasFailedToIntroduce = failure != nil
  }
}

extension WorkerHandle {
  /// Hands it one end of a socket whose other end is another worker's.
  fileprivate func meet(_ other: WorkerHandle, _ descriptor: Int32) throws(SystemError) {
    let message = Message(.introduce, [.init("worker", other.title)])
    try System.sendPacket(link, message.bytes, descriptor: descriptor)
  }
}
