// Debian's logrotate at work on the logs of a server under load: no line is lost, none is there twice, and no
// process goes on with a file that was rotated.
import Foundation
import Support
import Synchronization
import Testing

@Suite struct LogrotateTests {
  /// How lines get into the file: by every process, or by the one that distributes them.
  enum Way: String, CaseIterable, Sendable {
    case logto = "--logto DIR/log"
    case logger = "--logger file:DIR/log"
    case requests = "--req-logger file:DIR/log"
  }

  /// How a rotation is told.
  enum Order: String, CaseIterable, Sendable { case ctl, signal, copytruncate }

  /// Requests with numbers, from several clients at once, until it is told to stop.
  private final class Load: Sendable {
    private let isOver = Atomic<Bool>(false)
    private let next = Atomic<Int>(0)
    private let failures = Mutex<[String]>([])
    private let group = DispatchGroup()

    init(_ address: Support.Address, clients: Int) {
      for _ in 0..<clients {
        group.enter()
        Thread { [self] in
          defer { group.leave() }
          do {
            let socket = try RawSocket(address)
            while !isOver.load(ordering: .relaxed) {
              let number = next.add(1, ordering: .relaxed).oldValue
              try socket.send("GET /n\(number) HTTP/1.1\r\nHost: x\r\n\r\n")
              let status = try socket.receiveReply().status
              if status != 200 { failures.withLock { $0.append("/n\(number): \(status)") } }
            }
          } catch { failures.withLock { $0.append("\(error)") } }
        }.start()
      }
    }

    /// Requests that have begun.
    var count: Int { next.load(ordering: .relaxed) }

    /// Lets them end; how many there were.
    func end() -> Int {
      isOver.store(true, ordering: .relaxed)
      group.wait()
      failures.withLock { #expect($0.isEmpty, "\($0)") }
      return count
    }
  }

  /// A server that writes into `log`, and a logrotate that rotates it.
  private final class Site {
    let folder: TemporaryFolder
    let process: ChildProcess
    let address: Support.Address
    /// Files that logrotate has left.
    private(set) var rotations = 0

    init(_ way: Way, _ order: Order) throws {
      let folder = try TemporaryFolder()
      self.folder = folder
      address = .unix(path: folder.file("http.sock"))
      let words = way.rawValue.replacingOccurrences(of: "DIR/", with: folder.path + "/")
      process = try ChildProcess(
        Repository.server,
        [
          "--app", Repository.app("hello_world_app"), "--http-socket", folder.file("http.sock"), "-p", "2",
          "--control-socket", folder.file("ctl"), "--log-format", "%(uri)",
        ] + words.split(separator: " ").map(String.init))
      try Deadline.usual.wait(for: "the socket", output: { [process] in process.output }) { [address] in
        (try? RawSocket(address)).map { $0.close() }
      }
      let told =
        switch order {
        case .ctl: "\(Repository.server) ctl --control-socket \(folder.file("ctl")) log-reopen"
        case .signal: "kill -USR1 \(process.pid)"
        case .copytruncate: ""
        }
      let how = order == .copytruncate ? "copytruncate" : "postrotate\n\(told)\nendscript"
      try "\(folder.file("log")) {\nrotate 9\ncreate 640\nsu root root\n\(how)\n}\n"
        .write(toFile: folder.file("conf"), atomically: true, encoding: .utf8)
      // It reads no configuration that others may write.
      chmod(folder.file("conf"), 0o644)
    }

    func rotate() throws {
      let (exit, output) = try ChildProcess.run(
        "/usr/sbin/logrotate", ["--force", "--state", folder.file("state"), folder.file("conf")])
      guard exit == .status(0) else {
        throw SupportError.ended(program: "logrotate (scripts/install.sh test)", exit: exit, output: output)
      }
      rotations += 1
    }

    func text(_ name: String) -> String {
      String(decoding: FileManager.default.contents(atPath: folder.file(name)) ?? Data(), as: UTF8.self)
    }

    /// The numbers of all requests whose lines are there.
    func numbers() -> [Int] {
      let files = ["log"] + (0..<rotations).map { "log.\($0 + 1)" }
      return files.flatMap { text($0).split(separator: "\n") }.filter { $0.hasPrefix("/n") }
        .compactMap { Int($0.dropFirst(2)) }
    }

    /// Descriptors of the server's processes that lead to files that were rotated.
    func old() -> [String] {
      let children = ProcessUsage.text(process.pid, "task/\(process.pid)/children") ?? ""
      let pids = [process.pid] + children.split(separator: " ").compactMap { pid_t($0) }
      return pids.flatMap { pid in
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd")) ?? []
        return names.compactMap { name in
          let path = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(pid)/fd/\(name)")
          return path.flatMap { $0.hasPrefix(folder.file("log.")) ? "\(pid): \($0)" : nil }
        }
      }
    }
  }

  @Test(
    "three rotations under load lose nothing, and every process goes on with the new file",
    arguments: Way.allCases, [Order.ctl, .signal])
  func rotated(way: Way, order: Order) throws {
    let site = try Site(way, order)
    let load = Load(site.address, clients: 4)
    for round in 1...3 {
      let reached = load.count + 500
      try Deadline.usual.wait(for: "requests") { load.count >= reached ? true : nil }
      try site.rotate()
      try Deadline.usual.wait(for: "round \(round): the new file", output: { "\(site.old())" }) {
        site.old().isEmpty && site.text("log").contains("/n") ? true : nil
      }
    }
    let count = load.end()
    #expect(try site.process.stop() == .status(0))
    let numbers = site.numbers()
    #expect(numbers.count == count && Set(numbers) == Set(0..<count), "\(numbers.count) of \(count)")
  }

  @Test("copytruncate loses what its own copy has missed, and nothing else", arguments: Way.allCases)
  func copied(way: Way) throws {
    let site = try Site(way, .copytruncate)
    let load = Load(site.address, clients: 4)
    for _ in 1...3 {
      let reached = load.count + 500
      try Deadline.usual.wait(for: "requests") { load.count >= reached ? true : nil }
      try site.rotate()
    }
    let count = load.end()
    // Behind the last rotation nothing is lost, and the file has no hole in front of what follows.
    let socket = try RawSocket(site.address)
    for number in count..<(count + 200) {
      try socket.send("GET /n\(number) HTTP/1.1\r\nHost: x\r\n\r\n")
      #expect(try socket.receiveReply().status == 200)
    }
    #expect(try site.process.stop() == .status(0))
    let numbers = site.numbers()
    #expect(Set(numbers).count == numbers.count && Set(numbers).isSuperset(of: count..<(count + 200)))
    #expect(!site.text("log").contains("\0"))
  }
}
