// Addresses as the kernel has them and as people write them.
import CLinux
import Config
import Foundation
import Support
import Testing

@testable import Host

@Suite struct PeerAddressTests {
  /// What accept(2) would give for a client at this address.
  private func storage(_ address: Config.Address) throws -> sockaddr_storage {
    var storage = sockaddr_storage()
    try SocketAddress(address).withPointer { pointer, length throws(SystemError) in
      withUnsafeMutableBytes(of: &storage) {
        $0.baseAddress!.copyMemory(from: pointer, byteCount: Int(length))
      }
    }
    return storage
  }

  @Test(arguments: [
    "0.0.0.0", "1.2.3.4", "9.10.99.100", "127.0.0.1", "199.200.249.250", "255.255.255.255", "10.0.0.10",
    "::", "::1", "2001:db8::8:800:200c:417a", "fe80::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
  ])
  func text(address: String) throws {
    let peer = PeerAddress(try storage(.inet(host: address, port: 54321)))
    #expect(peer.text == address)
    #expect(peer.port == 54321)
    #expect(peer.family == (address.contains(":") ? .v6 : .v4))
  }

  @Test("every byte value is written as inet_ntop writes it")
  func allBytes() throws {
    for byte in 0...255 {
      #expect(
        PeerAddress(try storage(.inet(host: "\(byte).0.7.\(255 - byte)", port: 1))).text
          == "\(byte).0.7.\(255 - byte)")
    }
  }

  @Test("an IPv4 client on an IPv6 socket is an IPv4 client")
  func mapped() throws {
    let peer = PeerAddress(try storage(.inet(host: "::ffff:192.0.2.7", port: 80)))
    #expect(peer.text == "192.0.2.7")
    #expect(peer.family == .v4 && peer.port == 80)
    // Only ::ffff:0:0/96 is that (RFC 4291 §2.5.5.2).
    #expect(PeerAddress(try storage(.inet(host: "::192.0.2.7", port: 80))).family == .v6)
    #expect(PeerAddress(try storage(.inet(host: "1::ffff:192.0.2.7", port: 80))).family == .v6)
  }

  @Test func unixSocket() throws {
    for address in [Config.Address.unix(path: "/tmp/x.sock"), .abstract(name: "x")] {
      let peer = PeerAddress(try storage(address))
      #expect(peer.text == "" && peer.port == 0 && peer.family == .local)
    }
    #expect(PeerAddress(sockaddr_storage()).text == "")
    #expect(PeerAddress().text == "")
  }

  @Test("the text fits what the callers reserve, with its NUL")
  func longestText() throws {
    let longest = "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255"
    #expect(longest.utf8.count < PeerAddress.textBytes)
    let peer = PeerAddress(try storage(.inet(host: "1111:2222:3333:4444:5555:6666:7777:8888", port: 1)))
    var text = [UInt8](repeating: 0xff, count: PeerAddress.textBytes)
    let count = peer.write(to: &text)
    #expect(count == 39 && text[39] == 0)
  }
}

@Suite struct SocketAddressTests {
  /// Binds a socket to an address and reads back where it is.
  private func bound(_ address: Config.Address) throws -> Config.Address {
    let socketAddress = SocketAddress(address)
    let fd = try System.socket(family: socketAddress.family)
    defer { System.close(fd) }
    try socketAddress.withPointer { pointer, length throws(SystemError) in
      try System.bind(fd, pointer, length)
    }
    #expect(SocketAddress.bound(fd, as: address).sameHost(as: address))
    return SocketAddress.bound(fd, as: nil)
  }

  @Test("port 0 is replaced by the chosen port")
  func chosenPort() throws {
    for (host, back) in [
      ("127.0.0.1", "127.0.0.1"), ("localhost", "127.0.0.1"), ("", "0.0.0.0"), ("::1", "::1"),
    ] {
      guard case .inet(let found, let port) = try bound(.inet(host: host, port: 0)) else {
        Issue.record("\(host) is not bound to an internet address")
        continue
      }
      #expect(found == back)
      #expect(port != 0)
    }
  }

  @Test func unixNames() throws {
    let folder = try TemporaryFolder()
    let longest = folder.file(String(repeating: "a", count: 107 - folder.path.utf8.count - 1))
    #expect(longest.utf8.count == 107)
    for path in [folder.file("s.sock"), longest] {
      #expect(try bound(.unix(path: path)) == .unix(path: path))
      #expect(System.isSocket(path))
    }
    #expect(!System.isSocket(try folder.write("", to: "file")))
    #expect(!System.isSocket(folder.file("nothing")))
  }

  @Test("an abstract name has no NUL behind it: a client that names it finds it")
  func abstractName() throws {
    let name = "nsgi-test-\(getpid())"
    let listener = try Listener.bind(
      ListenerSettings(address: .abstract(name: name), gateway: .http1), files: SocketFileSettings(),
      limits: Limits())
    defer { System.close(listener.fd) }
    _ = try RawSocket(.abstract(name: name))
    #expect(listener.readyLine == "http socket @\(name) ready")
  }
}

extension Config.Address {
  /// Equal but for the port.
  fileprivate func sameHost(as other: Config.Address) -> Bool {
    if case .inet(let host, _) = self, case .inet(let otherHost, _) = other { return host == otherHost }
    return self == other
  }
}
