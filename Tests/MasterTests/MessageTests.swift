// What master, workers and staging children say to each other, as bytes and back.
import Control
import Testing

@Suite struct MessageTests {
  @Test("every verb is read as it was written", arguments: Message.Verb.allCases)
  func roundTrip(verb: Message.Verb) {
    let message = Message(verb, [.init("reason", "a=b\nc"), .init("app", "3"), .init("empty", "")])
    #expect(Message(message.bytes) == message)
    #expect(message.number("app") == 3 && message["empty"] == "" && message["none"] == nil)
  }

  @Test("what is no message is refused")
  func refuses() {
    #expect(Message(Array("nothing\0".utf8)) == nil)
    #expect(Message(Array("ready\0noequals\0".utf8)) == nil)
    #expect(Message([UInt8]()) == nil)
  }

  @Test("orders are read as they were written")
  func orders() {
    var orders = Orders(.worker)
    orders.worker = 3
    orders.workers = 4
    orders.arguments = ["--app=/a b/c.so", "--env=K=V"]
    orders.sockets = [
      .init(descriptor: 6, gateway: "http1", address: "127.0.0.1:80"),
      .init(descriptor: 7, gateway: "scgi", address: "/a b.sock"),
    ]
    orders.builds = [
      .init(app: 1, generation: 7, path: "/x y/z.so", current: "/c", state: 9, stateVersion: "1.2")
    ]
    (orders.tries, orders.places) = (true, 12)
    #expect(Orders(orders.message) == orders)
    // The key of builds is none of the files that are tried.
    orders.files = [HandedFile(path: "/a.pem", text: "a")]
    orders.key = HandedFile(path: "/k.pub", text: "k=1\n")
    #expect(Orders(orders.message) == orders)
    orders.held = HeldFile.Kind.allCases.map { .init(kind: $0, descriptor: 11, path: "/a b/ c=\($0).so") }
    orders.program = "/a b/server"
    #expect(Orders(orders.message) == orders)
    orders.isReplay = true
    #expect(Orders(orders.message) == orders && orders.title == ["replay", "worker"])
    orders.replay = Orders.Replay(requests: 200)
    #expect(Orders(orders.message) == orders)
    orders.replay!.heads = [7, 8]
    orders.replay!.arguments = ["--app=/a b/c.so"]
    orders.replay!.builds = [.init(app: 0, generation: 6, path: "/x y/old.so")]
    orders.replay!.files = [HandedFile(path: "/a b.pem", text: "before-file=1")]
    #expect(Orders(orders.message) == orders)
    for (name, value) in [("replay", "-1"), ("replay", "x"), ("before-build", "1 2")] {
      var wrong = orders.message
      wrong.fields.insert(.init(name, value), at: 0)
      #expect(Orders(wrong) == nil, "\(name) \(value)")
    }
    var odd = orders.message
    odd.fields += ["", "7", "7 plugin", "7 plugin ", "-1 plugin /a", "x plugin /a", "7 other /a"].map {
      .init("held", $0)
    }
    #expect(Orders(odd) == orders)
    #expect(Orders(Message(.ready)) == nil)
  }

  /// Orders for a master that follows another, with all there is to hand over.
  private static var heirOrders: Orders {
    var orders = Orders(.master)
    for generation in [4, 5] {
      var kept = Bequest.Kept()
      (kept.mount, kept.generation, kept.source) = ("/a b", generation, "/the file=1.so")
      (kept.path, kept.name, kept.version, kept.buildID) = ("/own/gen-3/x.so", "shop", "1.2", "3f2a")
      (kept.staged, kept.isUnloadable) = (1_700_000_000, generation == 4)
      kept.withdrawn = generation == 5 ? "a worker crashed: kept=1" : nil
      orders.bequest.kept.append(kept)
    }
    orders.bequest.counters = [.init(mount: "", generation: 3), .init(mount: "/a b", generation: 7)]
    var trial = Bequest.Trial()
    (trial.end, trial.kills, trial.arguments) = (UInt64.max, 1, ["--app=/a b=/x", "--env=A=1"])
    trial.previous = [.init(mount: "", generation: 2), .init(mount: "/a b", generation: 4)]
    trial.fresh = [.init(mount: "/a b", generation: 6)]
    trial.terms = [.init(place: trial.fresh[0], before: 4, end: 77)]
    trial.usual = [.init(mount: "/a b", failures: 0.25, longest: 3.5)]
    trial.files = [HandedFile(path: "/a b.pem", text: "old\ntrial-file=1")]
    orders.bequest.trial = trial
    orders.bequest.workers = 3
    let identity = FileIdentity(device: .max, inode: 1, bytes: 2, seconds: -3, nanoseconds: 4)
    orders.bequest.seen = [
      .init(path: "/a b=c.so", identity: identity), .init(path: "/gone", identity: nil),
    ]
    return orders
  }

  @Test("what a master leaves to its heir is read as it was written")
  func bequest() {
    var orders = Self.heirOrders
    #expect(Orders(orders.message) == orders)
    // No files are not those that serve.
    for files in [[], nil] as [[HandedFile]?] {
      orders.bequest.trial!.files = files
      #expect(Orders(orders.message) == orders)
    }
  }

  @Test("fields of another release are ignored, and what makes no sense is left out")
  func otherRelease() throws {
    let orders = Self.heirOrders
    var later = orders.message
    later.fields += [.init("kept-colour", "red"), .init("trial-mood", "good"), .init("later", "1")]
    #expect(Orders(later) == orders)
    var odd = orders.message
    odd.fields += [
      .init("kept", "/c"), .init("kept-generation", "-1"), .init("counter", "x /d"), .init("counter", "7"),
      .init("trial-usual", "nan 1 /e"), .init("trial-usual", "0.5 inf /e"), .init("trial-fresh", "0 /f"),
      .init("trial-term", "9 -1 2 /f"), .init("trial-term", "9 1 0 /f"), .init("seen", "1:2:3:4 /g"),
      .init("seen", "- "), .init("seen", "-"), .init("seen", "a:1:2:3.4 /g"),
    ]
    #expect(Orders(odd) == orders)
    // An earlier one sees none of it.
    var earlier = orders.message
    earlier.fields.removeAll { field in
      ["kept", "trial", "counter", "cheaper", "seen"].contains { field.name.hasPrefix($0) }
    }
    var expected = orders
    expected.bequest = Bequest()
    #expect(Orders(earlier) == expected)
  }
}
