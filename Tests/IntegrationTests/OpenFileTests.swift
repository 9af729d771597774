// Files that are too long for memory stay open between two requests: what is answered is the file that lies
// there, and none is held for long.
import Foundation
import Support
import Testing

@Suite struct OpenFileTests {
  private static let size = 200_000

  @Test("a file that is written, replaced, linked elsewhere or removed is answered as it is then")
  func changes() throws {
    let site = try Site(["--static-map", "/s=SITE/www"])
    let path = site.folder.file("www/long.bin")
    func put(_ letter: String, size: Int = Self.size, to name: String = "www/long.bin") throws {
      try site.folder.write(String(repeating: letter, count: size), to: name)
      try Site.age(site.folder.file(name))
    }
    func expect(_ letter: Character?, size: Int = Self.size) throws {
      // From the disk, then from the one that is open.
      for _ in 0..<3 {
        let reply = try site.ask("/s/long.bin")
        guard let letter else {
          #expect(reply["ETag"] == nil, "\(reply.status)")
          continue
        }
        #expect(reply.status == 200 && reply.body.count == size && reply.isComplete)
        #expect(reply.text.allSatisfy { $0 == letter }, "\(reply.text.prefix(8)) is no \(letter)")
      }
    }
    try put("a")
    try expect("a")
    // Written over in place, as long as before and as old.
    try put("b")
    try expect("b")
    try put("c", to: "www/next.bin")
    #expect(rename(site.folder.file("www/next.bin"), path) == 0)
    try expect("c")
    try put("d", size: 150_000)
    try expect("d", size: 150_000)
    try put("e", to: "www/other.bin")
    try FileManager.default.removeItem(atPath: path)
    try expect(nil)
    symlink("other.bin", path)
    try expect("e")
    // A link that leads out of the directory is not followed, whatever it led to before.
    try put("f", to: "outside.bin")
    unlink(path)
    symlink("../outside.bin", path)
    try expect(nil)
    try site.stop()
  }

  @Test("what nobody asks for is closed; what is being sent is not")
  func closes() throws {
    let site = try Site(["--static-map", "/s=SITE/www"])
    let path = site.folder.file("www/long.bin")
    _ = FileManager.default.createFile(atPath: path, contents: Data(repeating: 0x78, count: 32 << 20))
    try Site.age(path)
    let slow = try site.server.connect(receiveBuffer: 4096)
    try slow.send("GET /s/long.bin HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    _ = try slow.receive(until: "\r\n\r\n")
    #expect(try site.ask("/s/long.bin", [("Range", "bytes=0-1")]).text == "xx")
    unlink(path)
    #expect(try Self.holders(of: path, site) > 0)
    // Longer than it is held without being asked for.
    sleep(7)
    #expect(try slow.receiveToItsEnd().bytes.count == 32 << 20)
    _ = try Deadline.usual.wait(for: "the file to be closed") {
      try Self.holders(of: path, site) == 0 ? true : nil
    }
    try site.stop()
  }

  @Test("in records too, a file goes as its client takes it, and nothing of it is stored elsewhere")
  func records() throws {
    let site = try Site(
      ["--static-map", "/s=SITE/www", "--spool-max", "1048576"], gateways: ["fastcgi", "http"])
    var content = [UInt8](repeating: 0, count: 20_000_003)
    for index in content.indices { content[index] = UInt8(truncatingIfNeeded: index &* 7 / 5) }
    let path = site.folder.file("www/long.bin")
    _ = FileManager.default.createFile(atPath: path, contents: Data(content))
    let slow = try site.server.connect("fastcgi", receiveBuffer: 4096)
    try slow.send(GatewayRequest.bytes("fastcgi", "/s/long.bin"))
    // The others do not wait for it.
    #expect(try site.ask("/s/ten.txt").text == "0123456789")
    #expect(try site.ask("/s/long.bin", over: "fastcgi").body == content)
    let part = try site.ask("/s/long.bin", [("Range", "bytes=65527-200000")], over: "fastcgi")
    #expect(part.status == 206 && part.body == Array(content[65527...200_000]))
    var rest = try slow.receiveToItsEnd().bytes[...]
    let reply = try FastCGIReply(&rest)
    let body = try Reply(gateway: reply.stdout).body
    #expect(rest.isEmpty && body == content)
    try site.stop()
  }

  @Test("connections get the descriptors of files that are held open")
  func descriptors() throws {
    let site = try Site(["--static-map", "/s=SITE/www", "--max-fd", "64"])
    for number in 0..<40 {
      try site.folder.write(String(repeating: "x", count: 100_000), to: "www/\(number).bin")
      try Site.age(site.folder.file("www/\(number).bin"))
      #expect(try site.ask("/s/\(number).bin").body.count == 100_000)
    }
    let open = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(site.server.process.pid)/fd")
    #expect(open.count < 48, "\(open.count)")
    try site.stop()
  }

  /// How many descriptors of the server lead to a file that has been removed, or lies there.
  private static func holders(of path: String, _ site: Site) throws -> Int {
    let folder = "/proc/\(site.server.process.pid)/fd"
    return try FileManager.default.contentsOfDirectory(atPath: folder).count { name in
      let target = (try? FileManager.default.destinationOfSymbolicLink(atPath: "\(folder)/\(name)")) ?? ""
      return target.hasPrefix(path)
    }
  }
}
