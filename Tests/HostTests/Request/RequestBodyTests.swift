// Where a request body stands while it waits for its app: borrowed, in memory, in a file.
import Foundation
import Support
import Testing
import Wire

@testable import Host

/// A body in the hands of a test, with the bound of its memory part.
private final class HeldBody {
  private var body = RequestBody()
  let bound: Int
  let room: SpoolRoom

  init(bound: Int = 1000, room: SpoolRoom = SpoolRoom(directory: "/tmp", most: .max)) {
    (self.bound, self.room) = (bound, room)
  }

  var length: Int64 { body.length }
  var position: Int64 { body.position }
  var bytesInMemory: Int { body.memory.count }
  var roomInMemory: Int { body.memory.room }
  func reset() { body.reset() }
  func append(_ piece: UnsafeRawBufferPointer) throws { try body.append(piece, bound: bound, room) }
  func own() throws { try body.own(bound: bound, room) }
  func prepare(_ count: Int) -> Bool { body.prepare(for: Int64(count), bound: bound) }

  /// Receives past the reader, as a connection does after `prepare`.
  func receive(_ bytes: [UInt8]) {
    bytes.withUnsafeBytes { body.memory.tail.copyMemory(from: $0.baseAddress!, byteCount: bytes.count) }
    body.received(bytes.count)
  }

  /// The whole body; a zero must stand behind it.
  func whole() throws -> UnsafeRawBufferPointer {
    let bytes = try body.whole()
    if let start = bytes.baseAddress { #expect(start.load(fromByteOffset: bytes.count, as: UInt8.self) == 0) }
    return bytes
  }

  /// Appends `bytes` in pieces of the given sizes, the last size again and again; each piece stands in the
  /// same block, as in a connection, and is owned before the next one comes.
  func append(_ bytes: [UInt8], pieces: [Int]) throws {
    let block = UnsafeMutableRawBufferPointer.allocate(byteCount: max(bytes.count, 1), alignment: 16)
    defer { block.deallocate() }
    var rest = bytes[...]
    var sizes = pieces[...]
    while !rest.isEmpty {
      let size = sizes.count > 1 ? sizes.removeFirst() : sizes.first!
      let piece = Array(rest.prefix(size))
      rest = rest.dropFirst(size)
      block.copyBytes(from: piece)
      try append(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(block)[..<piece.count]))
      try own()
      // What was still borrowed would show.
      block.initializeMemory(as: UInt8.self, repeating: 0xaa)
    }
  }

  /// Reads on, at most so many bytes a call and so many calls.
  func read(by size: Int, calls: Int = .max) throws -> [UInt8] {
    var all: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: size)
    for _ in 0..<calls {
      let count = try piece.withUnsafeMutableBytes { try body.read($0.baseAddress!, size) }
      if count == 0 { break }
      #expect(count <= size)
      all += piece.prefix(count)
    }
    return all
  }
}

extension WorkerSuites {
  @Suite struct RequestBodyTests {
    @Test func emptyBody() throws {
      let body = HeldBody()
      #expect(body.length == 0)
      #expect(try body.read(by: 10).isEmpty)
      #expect(try body.whole().isEmpty)
      body.reset()
      #expect(try body.whole().isEmpty)
    }

    @Test("a body in one piece is not copied until its place is needed")
    func borrowed() throws {
      let bytes = TestBody.bytes(500)
      try bytes.withUnsafeBytes { buffer in
        let body = HeldBody()
        try body.append(buffer)
        #expect(body.length == 500 && body.bytesInMemory == 0)
        #expect(try body.read(by: 7, calls: 3) == Array(bytes.prefix(21)))
        #expect(body.position == 21)
        #expect(body.bytesInMemory == 0)
        try body.own()
        #expect(body.bytesInMemory == 500)
        #expect(try body.read(by: 7) == Array(bytes.dropFirst(21)))
        #expect(try Array(body.whole()) == bytes)
      }
    }

    @Test("a borrowed body is whole without the bytes of the next request behind it")
    func borrowedWhole() throws {
      let bytes = TestBody.bytes(600)
      try bytes.withUnsafeBytes { buffer in
        let body = HeldBody()
        try body.append(UnsafeRawBufferPointer(rebasing: buffer[..<500]))
        let whole = try body.whole()
        #expect(Array(whole) == Array(bytes.prefix(500)))
        #expect(try body.whole().baseAddress == whole.baseAddress, "the same loan each time")
        #expect(try body.read(by: 64) == Array(bytes.prefix(500)))
        #expect(Array(buffer) == bytes, "what stands behind belongs to the next request")
      }
    }

    @Test(
      "whatever the sizes in which it comes, and wherever it stands",
      arguments: [1, 2, 999, 1000, 1001, 1002, 2000, 4096, 8192, 100_000],
      [[1], [7], [999], [1000], [1001], [300, 701]])
    func pieces(size: Int, pieces: [Int]) throws {
      if size > 5000, pieces == [1] { return }
      let bytes = TestBody.bytes(size)
      let body = HeldBody()
      try body.append(bytes, pieces: pieces)
      #expect(body.length == Int64(size))
      #expect(
        body.bytesInMemory == (size <= body.bound ? size : 0), "in memory up to the bound, in a file above")
      #expect(try body.read(by: 13) == bytes)
      #expect(try Array(body.whole()) == bytes)
    }

    @Test("whole after a part was read, and read on after whole", arguments: [800, 5000])
    func wholeBetweenReads(size: Int) throws {
      let bytes = TestBody.bytes(size)
      let body = HeldBody()
      try body.append(bytes, pieces: [100])
      #expect(try body.read(by: 300, calls: 1) == Array(bytes.prefix(300)))
      let whole = try body.whole()
      #expect(Array(whole) == bytes)
      #expect(try body.whole().baseAddress == whole.baseAddress, "the same loan each time")
      #expect(try body.read(by: 64) == Array(bytes.dropFirst(300)))
    }

    @Test("whole is written anew when more has come since", arguments: [500, 5000])
    func wholeTwice(size: Int) throws {
      let bytes = TestBody.bytes(2 * size)
      let body = HeldBody(bound: 20_000)
      try body.append(Array(bytes.prefix(size)), pieces: [100])
      #expect(try Array(body.whole()) == Array(bytes.prefix(size)))
      try body.append(Array(bytes.dropFirst(size)), pieces: [100])
      #expect(try Array(body.whole()) == bytes)
    }

    @Test(
      "a spooled body whose length is a multiple of the page size ends with a zero too",
      arguments: [4096, 8192])
    func pageSizes(size: Int) throws {
      let bytes = TestBody.bytes(size)
      let body = HeldBody()
      try body.append(bytes, pieces: [1024])
      #expect(body.bytesInMemory == 0)
      #expect(try Array(body.whole()) == bytes)
    }

    @Test("room for the rest of a body is made in memory only, and only up to the bound")
    func prepared() throws {
      let body = HeldBody()
      #expect(body.prepare(1000))
      #expect(body.roomInMemory >= 1000)
      #expect(!body.prepare(1001))
      let bytes = TestBody.bytes(1000)
      try body.append(Array(bytes.prefix(400)), pieces: [400])
      #expect(body.prepare(600))
      #expect(!body.prepare(601))
      body.receive(Array(bytes.dropFirst(400)))
      #expect(try Array(body.whole()) == bytes)

      let spooled = HeldBody()
      try spooled.append(TestBody.bytes(1001), pieces: [1001])
      #expect(!spooled.prepare(1), "what is in a file goes on there")
    }

    @Test("reset leaves nothing of the body", arguments: [10, 5000])
    func reset(size: Int) throws {
      let body = HeldBody()
      for round in 0..<3 {
        let bytes = TestBody.bytes(size + round)
        try body.append(bytes, pieces: [64])
        #expect(try Array(body.whole()) == bytes)
        body.reset()
        #expect(body.length == 0 && body.position == 0)
        #expect(try body.read(by: 8).isEmpty)
      }
    }

    @Test("the file has no name, and goes with reset and with the body")
    func descriptors() throws {
      let folder = try TemporaryFolder()
      func openFiles() -> Int {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
        let targets = names.map {
          try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)")
        }
        return targets.count { $0?.hasPrefix(folder.path) ?? false }
      }
      let room = SpoolRoom(directory: folder.path, most: .max)
      let body = HeldBody(room: room)
      try body.append(TestBody.bytes(5000), pieces: [5000])
      #expect(openFiles() == 1)
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
      body.reset()
      #expect(openFiles() == 0)
      do {
        let other = HeldBody(room: room)
        try other.append(TestBody.bytes(5000), pieces: [5000])
        _ = try other.whole()
        #expect(openFiles() == 1)
      }
      #expect(openFiles() == 0)
    }
  }
}
