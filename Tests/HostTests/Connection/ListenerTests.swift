// Binding: stale and live unix sockets, ports, modes, and sockets that a launcher hands over.
import CLinux
import Config
import Foundation
import Support
import Testing

@testable import Host

@Suite struct ListenerTests {
  private let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  private func bind(
    _ address: Config.Address, _ gateway: ListenerProtocol = .scgi,
    files: SocketFileSettings = SocketFileSettings()
  ) throws(ListenError) -> Listener {
    try Listener.bind(ListenerSettings(address: address, gateway: gateway), files: files, limits: Limits())
  }

  private func refusal(_ address: Config.Address) throws -> ListenError {
    do {
      System.close(try bind(address).fd)
    } catch {
      #expect("\(error)".contains("\(address)"), "\(error)")
      return error
    }
    throw SupportError.malformedReply("\(address) was bound")
  }

  @Test("a socket file that nobody listens on is replaced")
  func staleFile() throws {
    let path = folder.file("s.sock")
    let first = try bind(.unix(path: path))
    System.close(first.fd)
    #expect(System.isSocket(path), "a killed server leaves its file")
    let second = try bind(.unix(path: path))
    _ = try RawSocket(.unix(path: path))
    second.removeFile()
    System.close(second.fd)
    #expect(access(path, F_OK) != 0)
  }

  @Test("a socket file that somebody answers on is not touched")
  func liveFile() throws {
    let path = folder.file("s.sock")
    let live = try bind(.unix(path: path))
    defer { System.close(live.fd) }
    guard case .refused(_, let error, _) = try refusal(.unix(path: path)), error.code == EADDRINUSE else {
      Issue.record("not in use")
      return
    }
    _ = try RawSocket(.unix(path: path))
  }

  @Test("a live server whose backlog is full is a live server")
  func fullBacklog() throws {
    let path = folder.file("s.sock")
    let fd = try System.socket(family: AF_UNIX)
    defer { System.close(fd) }
    try SocketAddress(.unix(path: path)).withPointer { pointer, length throws(SystemError) in
      try System.bind(fd, pointer, length)
    }
    try System.listen(fd, backlog: 0)
    var waiting: [RawSocket] = []
    waiting.append(try RawSocket(.unix(path: path)))
    guard case .refused(_, let error, _) = try refusal(.unix(path: path)), error.code == EADDRINUSE else {
      Issue.record("not in use")
      return
    }
    #expect(System.isSocket(path))
    #expect(waiting.count == 1)
  }

  @Test("a file that is no socket is nobody's to remove")
  func plainFile() throws {
    let path = try folder.write("precious", to: "s.sock")
    _ = try refusal(.unix(path: path))
    #expect(try String(contentsOfFile: path, encoding: .utf8) == "precious")
  }

  @Test func directoryThatIsNotThere() throws {
    guard case .refused(_, let error, _) = try refusal(.unix(path: folder.file("no/such/s.sock"))) else {
      Issue.record("not refused")
      return
    }
    #expect(error.code == ENOENT)
  }

  @Test func portInUse() throws {
    let first = try bind(.inet(host: "127.0.0.1", port: 0))
    defer { System.close(first.fd) }
    guard case .refused(_, let error, _) = try refusal(.inet(host: "127.0.0.1", port: first.port)),
      error.code == EADDRINUSE
    else {
      Issue.record("not in use")
      return
    }
  }

  @Test("an address that this machine does not have")
  func foreignAddress() throws {
    guard case .refused(_, let error, _) = try refusal(.inet(host: "192.0.2.1", port: 0)) else {
      Issue.record("not refused")
      return
    }
    #expect(error.code == EADDRNOTAVAIL)
    #expect("\(ListenError.refused(.inet(host: "192.0.2.1", port: 0), error))".contains("this machine has"))
  }

  @Test("what lies in a socket's place is called by its name")
  func place() throws {
    let files = FileManager.default
    try files.createDirectory(atPath: folder.file("d"), withIntermediateDirectories: false)
    try folder.write("text", to: "f")
    try files.createSymbolicLink(atPath: folder.file("l"), withDestinationPath: folder.file("nowhere"))
    try files.createSymbolicLink(atPath: folder.file("to-d"), withDestinationPath: folder.file("d"))
    let datagrams = try NotifySocket(folder.file("g"))
    defer { withExtendedLifetime(datagrams) {} }
    let expected = [
      "d": "d is a directory; write \(folder.file("d"))/app.sock", "to-d": "is a directory",
      "f": "is a file and no socket", "l": "a symbolic link that leads nowhere",
      "g": "a socket of another type", "f/s": "\(folder.file("f")) is not a directory",
      "no/such/s": "\(folder.file("no/such")) does not exist; make it",
    ]
    for (name, words) in expected {
      let sentence = "\(try refusal(.unix(path: folder.file(name))))"
      #expect(sentence.contains(words) && !sentence.contains("another server"), "\(sentence)")
    }
    #expect(System.socketPlace(folder.file("new"), EACCES) == .closedDirectory)
    #expect(System.socketPlace(folder.file("g"), EACCES) == .foreign)
    #expect(System.socketPlace(folder.file("new"), EROFS) == .readOnly)
    // What more can be told than that? The directory is there.
    #expect(System.socketPlace(folder.file("new"), ENOENT) == .unknown)
    // Nothing was taken away.
    #expect(["d", "f", "g"].allSatisfy { files.fileExists(atPath: folder.file($0)) })
  }

  @Test(
    "an owner that the system does not know is named",
    arguments: [
      ("nosuchuser", nil, "no user nosuchuser"), ("root", "nosuchgroup", "no group nosuchgroup"),
      (nil, "nosuchgroup", "no group nosuchgroup"),
    ] as [(String?, String?, String)])
  func unknownOwner(user: String?, group: String?, words: String) throws {
    var files = SocketFileSettings()
    files.owner = Owner(user: user, group: group)
    let owned = files
    let error = #expect(throws: ListenError.self) {
      try bind(.unix(path: folder.file("s.sock")), files: owned)
    }
    let sentence = error.map { "\($0)" } ?? ""
    #expect(sentence.contains(words) && sentence.contains("--chown-socket"), "\(sentence)")
  }

  @Test("ports and addresses that cannot be had say why")
  func portsAndAddresses() {
    func sentence(_ address: Config.Address, _ code: Int32) -> String {
      "\(ListenError.refused(address, SystemError("bind", code)))"
    }
    #expect(sentence(.inet(host: "", port: 80), EACCES).contains("CAP_NET_BIND_SERVICE"))
    #expect(sentence(.inet(host: "::1", port: 8080), EAFNOSUPPORT).contains("IPv6 switched off"))
    #expect(sentence(.abstract(name: "x"), EADDRINUSE).contains("@x is in use by another server"))
    #expect(sentence(.inet(host: "", port: 8080), EMFILE).contains("ulimit -n"))
    let own = Config.Address.inet(host: "", port: 8080)
    #expect(own.collides(with: .inet(host: "127.0.0.1", port: 8080)))
    #expect(!own.collides(with: .inet(host: "127.0.0.1", port: 8081)))
    let other = Config.Address.inet(host: "127.0.0.1", port: 1)
    #expect(!other.collides(with: .inet(host: "127.0.0.2", port: 1)))
  }

  @Test("a refused address leaves no descriptor open")
  func refusalClosesItsSocket() throws {
    let before = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count
    for _ in 0..<200 { _ = try refusal(.unix(path: folder.file("no/such/s.sock"))) }
    let after = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count
    // Other tests of this process open and close descriptors meanwhile.
    #expect(after < before + 150)
  }

  @Test func modeOfTheFile() throws {
    let path = folder.file("s.sock")
    var files = SocketFileSettings()
    files.mode = 0o660
    let listener = try bind(.unix(path: path), files: files)
    defer { System.close(listener.fd) }
    var status = stat()
    #expect(lstat(path, &status) == 0)
    #expect(status.st_mode & 0o777 == 0o660)
  }

  @Test(arguments: [
    (ListenerProtocol.http1, "http"), (.scgi, "scgi"), (.uwsgi, "uwsgi"), (.fastcgi, "fastcgi"),
    (.auto, "recognised"),
  ])
  func readyLine(gateway: ListenerProtocol, word: String) throws {
    let listener = try bind(.inet(host: "127.0.0.1", port: 0), gateway)
    defer { System.close(listener.fd) }
    #expect(listener.port != 0)
    #expect(listener.readyLine == "\(word) socket 127.0.0.1:\(listener.port) ready")
    #expect(listener.isSniffed == (gateway == .auto))
  }

  @Test("SERVER_NAME without a Host field is the host that was asked for")
  func serverName() throws {
    for (address, name) in [
      (Config.Address.inet(host: "127.0.0.1", port: 0), "127.0.0.1"), (.inet(host: "", port: 0), "localhost"),
      (.unix(path: folder.file("n.sock")), "localhost"),
    ] {
      let listener = try bind(address)
      defer { System.close(listener.fd) }
      #expect(String(decoding: listener.name.bytes, as: UTF8.self) == name)
      #expect(listener.isTCP == (listener.port != 0))
    }
  }

  @Test("only a listening socket is taken over, and its file is the launcher's")
  func adopted() throws {
    let path = folder.file("s.sock")
    let bound = try bind(.unix(path: path))
    let adopted = try Listener.adopt(bound.fd, gateway: .fastcgi, limits: Limits())
    #expect(adopted.address == .unix(path: path))
    adopted.removeFile()
    #expect(System.isSocket(path))
    System.close(bound.fd)
    let unlistened = try System.socket(family: AF_INET)
    defer { System.close(unlistened) }
    #expect(throws: ListenError.self) { try Listener.adopt(unlistened, gateway: .auto, limits: Limits()) }
    #expect(throws: ListenError.self) { try Listener.adopt(-1, gateway: .auto, limits: Limits()) }
  }
}

/// LISTEN_FDS is the environment of the whole process: one test after another.
@Suite(.serialized) struct InheritedSocketsTests {
  private func find(_ environment: [String: String]) -> [(fd: Int32, gateway: ListenerProtocol)] {
    let names = ["LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"]
    for name in names { unsetenv(name) }
    for (name, value) in environment { setenv(name, value, 1) }
    defer { for name in names { unsetenv(name) } }
    return InheritedSockets.find(default: .auto).filter { $0.fd != STDIN_FILENO }
  }

  private var ownID: String { String(getpid()) }

  @Test("the names tell the protocols (sd_listen_fds_with_names(3))")
  func names() {
    let found = find([
      "LISTEN_FDS": "7", "LISTEN_PID": ownID,
      "LISTEN_FDNAMES": "http:scgi:uwsgi:fastcgi:fcgi:http-2:scgi.socket",
    ])
    #expect(found.map(\.fd) == [3, 4, 5, 6, 7, 8, 9])
    #expect(found.map(\.gateway) == [.http1, .scgi, .uwsgi, .fastcgi, .fastcgi, .http1, .scgi])
  }

  @Test("without a name, or with another one, the protocol is the option's")
  func otherNames() {
    let found = find(["LISTEN_FDS": "4", "LISTEN_PID": ownID, "LISTEN_FDNAMES": "web::httpd"])
    #expect(found.map(\.gateway) == [.auto, .auto, .auto, .auto])
    #expect(find(["LISTEN_FDS": "1", "LISTEN_PID": ownID]).map(\.gateway) == [.auto])
  }

  @Test("sockets of another process, and numbers that are none, are left alone")
  func notOurs() {
    #expect(find(["LISTEN_FDS": "1", "LISTEN_PID": "1"]).isEmpty)
    #expect(find(["LISTEN_FDS": "1"]).isEmpty)
    #expect(find(["LISTEN_PID": ownID]).isEmpty)
    for count in ["0", "-1", "x", "", "99999999999"] {
      #expect(find(["LISTEN_FDS": count, "LISTEN_PID": ownID]).isEmpty, "\(count)")
    }
  }
}
