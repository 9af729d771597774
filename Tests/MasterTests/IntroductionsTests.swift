// Which workers are introduced to one another: each pair once, whoever comes, dies and comes again meanwhile.
import Control
import Support
import Testing

@testable import Master

@Suite struct IntroductionsTests {
  /// Workers, and the ends of links that they have.
  private struct Hall {
    var introductions = Introductions()
    /// The living, and with whom each has a link whose other end is alive.
    var links: [Int: Set<Int>] = [:]

    mutating func comes(_ worker: Int) {
      let isNew = introductions.admit(worker)
      #expect(isNew == (links[worker] == nil))
      if links[worker] == nil { links[worker] = [] }
    }

    mutating func dies(_ worker: Int) {
      introductions.forget(worker)
      links[worker] = nil
      for other in links.keys { links[other]!.remove(worker) }
    }

    /// As the master does it; `fails` says for which pairs there is no socket this time.
    mutating func introduce(fails: (Int, Int) -> Bool = { _, _ in false }) {
      for (one, other) in introductions.due where !fails(one, other) {
        #expect(one < other && links[one]?.contains(other) == false, "\(one) and \(other)")
        links[one]!.insert(other)
        links[other]!.insert(one)
        introductions.introduced(one, other)
      }
    }

    /// Everybody has a link to everybody else, and the master knows of as many.
    func isComplete() -> Bool {
      links.allSatisfy { worker, others in
        others == Set(links.keys).subtracting([worker]) && introductions.count(of: worker) == others.count
      }
    }
  }

  @Test("each pair is introduced once, when the second of it comes")
  func pairs() {
    var hall = Hall()
    for worker in [3, 1, 7] {
      hall.comes(worker)
      hall.introduce()
      #expect(hall.isComplete() && hall.introductions.due.isEmpty)
    }
    // Who asks again has asked before.
    hall.comes(1)
    #expect(hall.introductions.due.isEmpty && hall.introductions.count(of: 1) == 2)
    #expect(hall.introductions.count(of: 2) == 0)
  }

  @Test("a worker that dies before its introduction is nobody's any more, and its follower meets all")
  func deaths() {
    var hall = Hall()
    for worker in 1...3 { hall.comes(worker) }
    hall.introduce { one, other in one == 2 || other == 2 }
    #expect(!hall.isComplete() && hall.introductions.due.count == 2)
    hall.dies(2)
    #expect(hall.isComplete() && hall.introductions.due.isEmpty)
    hall.comes(4)
    // It dies when one of its two ends is handed over.
    hall.introduce { one, _ in one == 3 }
    hall.dies(4)
    #expect(hall.isComplete() && hall.introductions.due.isEmpty)
    hall.comes(5)
    hall.introduce()
    #expect(hall.links[5] == [1, 3] && hall.isComplete())
    // What is heard late of one that has ended changes nothing.
    hall.introductions.introduced(2, 5)
    hall.introductions.introduced(5, 5)
    hall.introductions.forget(2)
    #expect(hall.isComplete())
  }

  @Test("whatever happens in whatever order, the living end up introduced", arguments: 1...20)
  func walk(seed: Int) {
    var random = SeededRandom(UInt64(seed))
    var (hall, next) = (Hall(), 1)
    for _ in 0..<200 {
      switch Int.random(in: 0..<4, using: &random) {
      case 0:
        hall.comes(next)
        next += 1
      case 1: if let one = hall.links.keys.sorted().randomElement(using: &random) { hall.dies(one) }
      case 2: if let one = hall.links.keys.sorted().randomElement(using: &random) { hall.comes(one) }
      default:
        let luck = Int.random(in: 0...2, using: &random)
        hall.introduce { one, other in luck > 0 && (one + other) % (luck + 1) == 0 }
      }
    }
    hall.introduce()
    #expect(hall.isComplete())
  }

  @Test("an introduction is a packet with one end of a link and the other worker's title")
  func handOver() throws {
    let (one, other) = (try System.packetPair(), try System.packetPair())
    let link = try System.streamPair()
    let message = Message(.introduce, [.init("worker", "worker 2 (pid 4711)")])
    try System.sendPacket(one.own, message.bytes, descriptor: link.own)
    try System.sendPacket(other.own, message.bytes, descriptor: link.other)
    [link.own, link.other].forEach { System.close($0) }
    // The descriptors live on in the packets, and end with them.
    #expect(Message(try System.receivePacket(one.other)) == message)
    #expect(Message(try System.receivePacket(other.other)) == message)
    [one.own, one.other, other.own, other.other].forEach { System.close($0) }
  }

  @Test("a worker asks without a word more, and nobody else does")
  func asks() {
    #expect(WorkerReport(Message(.topics).bytes, apps: 0) == .topics)
    #expect(WorkerReport(Message(.topics, [.init("worker", "-1")]).bytes, apps: 1) == .topics)
    #expect(JobReport(Message(.topics).bytes, apps: [0]) == nil)
    #expect(ZygoteReport(Message(.topics).bytes) == nil)
    #expect(WorkerReport(Message(.introduce).bytes, apps: 1) == nil)
    #expect(JobReport(Message(.introduce).bytes, apps: [0]) == nil)
  }
}
