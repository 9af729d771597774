import Wire

/// One version of a file, ready to be sent: the lines common to all its answers, and its content in memory or
/// behind a descriptor.
final class ServedFile {
  /// The path by which it was looked up.
  let path: [UInt8]
  let version: FileVersion
  /// The coding it is sent in; the same file requested by its own name has none.
  let coding: ContentCoding?
  /// Its media type.
  let type: String
  /// Content-Type as it is sent, with its name and the end of its line.
  let typeLine: [UInt8]
  /// The strong entity tag, with its quotes.
  private let tag: [UInt8]
  /// Last-Modified, ETag, Accept-Ranges, Content-Encoding and Vary.
  let lines: [UInt8]
  /// The content; nil while it is only on the disk.
  private(set) var content: UnsafeMutableRawBufferPointer?
  /// Open for reading while the content is not in memory, and as long as anybody sends it; -1 otherwise.
  private var descriptor: Int32
  /// Monotonic nanoseconds up to which it counts as unchanged, and the epoch in which it was last seen to be.
  var trustedUntil: UInt64 = 0
  var epoch: UInt64 = 0
  /// Monotonic nanoseconds when it was last requested.
  var usedAt: UInt64 = 0

  /// The content is on the disk, behind a descriptor.
  var isOpen: Bool { descriptor >= 0 }

  /// Owns the descriptor from now on.
  init(
    _ path: UnsafeRawBufferPointer, _ descriptor: Int32, _ version: FileVersion, type: String,
    coding: ContentCoding?, varies: Bool
  ) {
    (self.path, self.descriptor, self.version, self.type) = (Array(path), descriptor, version, type)
    self.coding = coding
    typeLine = Array("Content-Type: \(MediaTypes.field(of: type))\r\n".utf8)
    var tag = ByteBuffer()
    tag.append(0x22)
    tag.append(hex: UInt64(bitPattern: version.modified))
    tag.append(0x2d)
    tag.append(hex: UInt64(bitPattern: version.modifiedNanoseconds))
    tag.append(0x2d)
    tag.append(hex: UInt64(bitPattern: version.size))
    if let coding { tag.append(coding.ending) }
    tag.append(0x22)
    self.tag = Array(tag.bytes)
    var lines = ByteBuffer()
    lines.append("Last-Modified: ")
    lines.append(date: version.date)
    lines.append("\r\nETag: ")
    lines.append(tag.bytes)
    lines.append("\r\nAccept-Ranges: bytes\r\n")
    if let coding {
      lines.append("Content-Encoding: ")
      lines.append(coding.name)
      lines.append("\r\n")
    }
    if varies { lines.append("Vary: Accept-Encoding\r\n") }
    self.lines = Array(lines.bytes)
  }

  deinit {
    content?.deallocate()
    if descriptor >= 0 { System.close(descriptor) }
  }

  /// Reads the content into memory; false if its length is not the file's size.
  func load() -> Bool {
    let room = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(version.size) + 1, alignment: 16)
    var count = 0
    while let got = try? System.read(
      descriptor, room.baseAddress! + count, room.count - count, at: Int64(count)),
      got > 0
    {
      count += got
      if count == room.count { break }
    }
    // It may have been written to meanwhile.
    guard count == version.size, System.fileVersion(descriptor) == version else {
      room.deallocate()
      return false
    }
    content = UnsafeMutableRawBufferPointer(rebasing: room[..<count])
    System.close(descriptor)
    descriptor = -1
    return true
  }

  /// The verdict on a request for it.
  func verdict(_ request: FileRequest, now: Int64) -> FileVerdict {
    tag.withUnsafeBytes { FileValidators(tag: $0, modified: version.date).verdict(request, now: now) }
  }

  /// Reads a piece of the file on the disk; 0 after its end.
  func read(_ to: UnsafeMutableRawBufferPointer, at offset: Int64) throws(SystemError) -> Int {
    try System.read(descriptor, to.baseAddress!, to.count, at: offset)
  }

  /// A stretch of it to send from the disk, in records if they are given; the file is not closed before that.
  func stretch(_ range: Range<Int64>, in records: ResponseEncoder?) -> FileStretch {
    var stretch = FileStretch(of: self, descriptor, offset: range.lowerBound, count: Int64(range.count))
    stretch.records = records
    return stretch
  }
}
