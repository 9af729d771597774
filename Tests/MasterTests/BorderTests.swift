// The border between worker and master: what a worker says and shows is checked, whatever it is.
import Control
import Foundation
import Support
import Testing

@testable import Master

@Suite struct BorderTests {
  @Test("what the fuzz targets have found")
  func corpus() throws {
    #expect(try FuzzCorpus.problems("message", verifyMessage) == [])
    #expect(try FuzzCorpus.problems("scoreboard", verifyScoreboard) == [])
  }

  @Test("reports of a worker are read as they were written")
  func reports() {
    func report(_ verb: Message.Verb, _ fields: (String, String)...) -> WorkerReport? {
      WorkerReport(Message(verb, fields.map { .init($0.0, $0.1) }).bytes, apps: 2)
    }
    let app = [
      ("app", "1"), ("generation", "3"), ("name", "hello"), ("version", "1.2"), ("unloadable", "1"),
      ("calls", "16"),
    ]
    let ready = WorkerReport(Message(.ready, app.map { .init($0.0, $0.1) }).bytes, apps: 2)
    if case .ready(let list) = ready {
      #expect(list.count == 1 && list[0].place == 1 && list[0].name == "hello" && list[0].version == "1.2")
      #expect(list[0].isUnloadable && list[0].generation == 3)
    } else {
      Issue.record("\(String(describing: ready))")
    }
    #expect(report(.failed, ("reason", "no"), ("code", "22")) == .failed(reason: "no", code: 22))
    #expect(report(.saved, ("app", "0"), ("bytes", "-1")) == .saved(app: 0, hasState: false))
    #expect(report(.swapped, ("app", "1"), ("generation", "7")) == .swapped(app: 1, generation: 7))
    #expect(
      report(.refused, ("app", "1"), ("generation", "7"), ("reason", "x"), ("full", "1"))
        == .refused(app: 1, generation: 7, reason: "x", isFull: true))
    // What only others say.
    for verb in [Message.Verb.stop, .orders, .configured, .copied] { #expect(report(verb) == nil) }
    // No place, no number, no range.
    for place in ["2", "-1", "", "x", "99999999999999999999"] {
      #expect(report(.saved, ("app", place), ("bytes", "1")) == nil)
      #expect(report(.swapped, ("app", place), ("generation", "1")) == nil)
    }
    // More calls, and later builds, than there can be.
    for (name, value) in [
      ("calls", "4097"), ("calls", "9223372036854775807"), ("calls", "-1"), ("generation", "0"),
      ("generation", "4294967296"), ("generation", "9223372036854775807"),
    ] {
      let fields = app.map { Message.Field($0.0, $0.0 == name ? value : $0.1) }
      #expect(WorkerReport(Message(.ready, fields).bytes, apps: 2) == nil, "\(name) \(value)")
    }
    #expect(report(.swapped, ("app", "1"), ("generation", "4294967296")) == nil)
    for code in ["99999999999", "-1", "0", "256", "", "x"] {
      #expect(report(.failed, ("code", code)) == .failed(reason: "no reason given", code: 1))
    }
  }

  @Test("a zygote says three things, and nothing else is heeded")
  func zygotes() {
    #expect(ZygoteReport(Message(.ready).bytes) == .ready && ZygoteReport(Message(.idle).bytes) == .idle)
    let failed = Message(.failed, [.init("reason", "no"), .init("code", "22")])
    #expect(ZygoteReport(failed.bytes) == .failed(reason: "no", code: 22))
    #expect(ZygoteReport(Message(.failed).bytes) == .failed(reason: "no reason given", code: 1))
    for verb in Message.Verb.allCases where ![.ready, .idle, .failed].contains(verb) {
      #expect(ZygoteReport(Message(verb).bytes) == nil, "\(verb)")
    }
    for bytes in [[], [0], Array("ready=\0x".utf8)] as [[UInt8]] { #expect(ZygoteReport(bytes) == nil) }
  }

  @Test("who has said something is the kernel's to say, and a stranger is no child")
  func senders() throws {
    let pair = try System.packetPair()
    defer { [pair.own, pair.other].forEach { close($0) } }
    try System.tellSender(pair.own)
    try System.sendPacket(pair.other, [7], descriptors: [pair.other, pair.other])
    let before = try #require(ProcessUsage(getpid())).descriptors
    let received = try System.receivePacketFrom(pair.own)
    #expect(received.bytes == [7] && received.sender == getpid())
    #expect(try #require(ProcessUsage(getpid())).descriptors == before, "what came along is dropped")
    for pid in [getpid(), getppid(), 1, 0, -1] { #expect(!System.isChild(pid), "\(pid)") }
    let child = try ChildProcess("/bin/sleep", ["60"])
    #expect(System.isChild(child.pid))
    _ = try child.stop(SIGKILL)
    #expect(!System.isChild(child.pid))
    #expect(throws: SystemError.self) { try System.sendPacket(pair.other, [7], descriptors: []) }
  }

  @Test("a worker can neither cut nor grow the page, nor seal it against its master")
  func sealedPage() throws {
    let fd = try System.sealedMemory("page", Scoreboard.bytes)
    defer { close(fd) }
    #expect(ftruncate(fd, 0) != 0 && errno == EPERM)
    #expect(ftruncate(fd, off_t(Scoreboard.bytes) * 2) != 0 && errno == EPERM)
    let page = try System.mapShared(fd, Scoreboard.bytes)
    defer { System.unmap(page, Scoreboard.bytes) }
    var byte: UInt8 = 7
    #expect(pwrite(fd, &byte, 1, off_t(Scoreboard.bytes) - 1) == 1)
    #expect(page.load(fromByteOffset: Scoreboard.bytes - 1, as: UInt8.self) == 7)
  }

  @Test("packets that are too long, and descriptors that come along, leave nothing behind")
  func packets() throws {
    let pair = try System.packetPair()
    defer { [pair.own, pair.other].forEach { close($0) } }
    try System.sendPacket(pair.other, [UInt8](repeating: 1, count: Message.packetBytes + 1))
    #expect { try System.receivePacket(pair.own) } throws: { ($0 as? SystemError)?.code == EMSGSIZE }
    let before = try #require(ProcessUsage(getpid())).descriptors
    for _ in 0..<50 {
      try System.sendPacket(pair.other, [1, 2, 3], descriptor: pair.other)
      #expect(try System.receivePacket(pair.own) == [1, 2, 3])
    }
    // Other tests open and close some meanwhile.
    #expect(try #require(ProcessUsage(getpid())).descriptors < before + 40)
  }

  @Test("who says thousands of things in a second is not heard further")
  func flood() {
    var hearing = Hearing()
    let second: UInt64 = 1_000_000_000
    let heard = (0..<20_000).count { _ in hearing.admits(at: 5 * second) }
    #expect(heard == 4096)
    let isHeardAgain = hearing.admits(at: 6 * second)
    #expect(isHeardAgain)
    let misspoke = [hearing.misspeaks(), hearing.misspeaks()]
    #expect(misspoke == [true, false])
  }
}
