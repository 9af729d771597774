import Synchronization

/// The page of memory that a worker shares with its master: what is being served since when, and how much was
/// served. The worker writes; the master copies the page at any time, also after the worker's death, and
/// reads the copy. A torn line of text is possible and harmless.
///
/// An application in the worker can write there too: whatever the page holds, reading it gives numbers and
/// places within their ranges, and touches nothing beyond the page. The text may come from anybody.
///
/// The memory belongs to its maker; the value is only a view of it and must not outlive the mapping.
public struct Scoreboard: @unchecked Sendable {
  /// Running requests that are recorded; further ones are only counted.
  public static let slots = 256
  /// Applications that are counted separately; the last place takes the rest.
  public static let apps = 16
  /// The place for the server's own answers: files, and refusals.
  public static let own = apps
  /// Bytes of the request line that are kept.
  public static let textBytes = 96
  /// Requests whose stacks are shown at once.
  public static let stacks = 4
  /// Bytes of a stack that are kept.
  public static let stackBytes = 4096 - 16
  /// Bytes of the whole page.
  public static let bytes = entriesAt + slots * slotBytes + stacks * (stackBytes + 16)

  /// Bytes of a request's id that are kept.
  public static let nameBytes = 128

  private static let slotBytes = 256
  private static let appsAt = 1024
  private static let appBytes = 384
  private static let entriesAt = 8192
  private let base: UnsafeMutableRawPointer

  /// A view of `bytes` bytes, zero at first.
  public init(_ base: UnsafeMutableRawPointer) { self.base = base }

  /// One number of the page.
  public struct Cell: @unchecked Sendable {
    private let place: UnsafeMutablePointer<Atomic<UInt64>>

    fileprivate init(_ address: UnsafeMutableRawPointer) {
      place = address.assumingMemoryBound(to: Atomic<UInt64>.self)
    }

    /// Its value.
    @inline(__always)
    public var value: UInt64 {
      get { place.pointee.load(ordering: .relaxed) }
      nonmutating set { place.pointee.store(newValue, ordering: .relaxed) }
    }

    /// Its value as a number that can be added up: one beyond what any worker counts becomes that bound.
    public var count: Int { Int(min(value, 1 << 48)) }

    /// Adds one. A single thread of the worker writes each cell: no locked instruction is needed.
    @inline(__always)
    public func increment() { value = value &+ 1 }

    /// Adds a number.
    @inline(__always)
    public func add(_ number: UInt64) { value = value &+ number }
  }

  /// Counts for the whole worker.
  public enum Total: Int, CaseIterable, Sendable {
    /// Monotonic nanoseconds of the loop's last turn: a hanging worker shows an old one.
    case lastTurn
    /// Open connections, without HTTP/2 streams; and all requests so far.
    case connections, requests
    /// 1 + the slot of the request that the crashed thread was in; 0 if it was in none.
    case crashedSlot
    /// The signal that killed the worker, written by its own handler.
    case crashSignal
    /// Lines of its log that nobody took in time.
    case droppedLines
    /// When the first of its certificates expires, in seconds of the calendar; 0 without any.
    case certificateEnd
    /// WebSockets that are open.
    case webSockets
    /// Messages of topics that were dropped because another worker takes them too slowly.
    case droppedMessages
    /// Heads of requests that it remembers for a replay.
    case remembered
    /// TLS handshakes of which a step was taken beside the loop.
    case handshakes
  }

  /// Counts for each application.
  public enum Count: Int, CaseIterable, Sendable {
    case requests
    /// Answers with 5xx, from the application or in its place.
    case errors
    /// The generation that serves.
    case generation
  }

  /// A count of the worker.
  @inline(__always)
  public subscript(total: Total) -> Cell { Cell(base + total.rawValue * 8) }

  /// A count of an application, by its place in the mount table.
  @inline(__always)
  public subscript(count: Count, app app: Int) -> Cell {
    Cell(block(min(max(app, 0), Scoreboard.apps - 1)) + count.rawValue * 8)
  }

  private func block(_ place: Int) -> UnsafeMutableRawPointer {
    base + Scoreboard.appsAt + place * Scoreboard.appBytes
  }

  // MARK: Answers

  private func tallyCell(_ place: Int, _ cell: Int) -> Cell {
    Cell(block(place) + (Count.allCases.count + cell) * 8)
  }

  /// Counts an answer. `app` is nil for the server's own, `gateway` a place in `Tally.gateways`.
  @inline(__always)
  public func count(
    app: Int?, gateway: Int, status: Int, received: Int64, sent: Int64, microseconds: UInt64
  ) {
    let place = Scoreboard.place(app)
    let digit = min(max(status / 100, 1), 5)
    tallyCell(place, Tally.Cell.classes + digit - 1).increment()
    tallyCell(place, Tally.Cell.gateways + min(max(gateway, 0), 3)).increment()
    tallyCell(place, Tally.Cell.received).add(UInt64(max(0, received)))
    tallyCell(place, Tally.Cell.sent).add(UInt64(max(0, sent)))
    tallyCell(place, Tally.Cell.microseconds).add(microseconds)
    tallyCell(place, Tally.Cell.buckets + Latency.bucket(microseconds)).increment()
  }

  /// Counts an answer as a file of the server's own, in addition to `count`.
  public func countFile() { tallyCell(Scoreboard.own, Tally.Cell.files).increment() }

  /// Counts a request, or a message of a WebSocket, whose time (`--harakiri`) is over.
  public func countLate(app: Int?) { tallyCell(Scoreboard.place(app), Tally.Cell.late).increment() }

  /// The place of an application's numbers; nil stands for the server.
  @inline(__always)
  private static func place(_ app: Int?) -> Int { app.map { min(max($0, 0), apps - 1) } ?? own }

  /// The answers of an application, by its place, or at `own` the server's.
  public func tally(_ place: Int) -> Tally {
    guard (0...Scoreboard.own).contains(place) else { return Tally() }
    return Tally((0..<Tally.cells).lazy.map { UInt64(tallyCell(place, $0).count) })
  }

  /// A running request.
  public struct Entry: Sendable, Equatable {
    /// The exchange's place.
    public let slot: Int
    /// Monotonic nanoseconds of its beginning.
    public let began: UInt64
    /// The application's place.
    public let app: Int
    /// The generation that serves it.
    public let generation: UInt64
    /// "GET /path", cut; followed by the request's id in brackets if requests have ids.
    public let line: String
  }

  private func entry(_ slot: Int) -> UnsafeMutableRawPointer {
    base + Scoreboard.entriesAt + slot * Scoreboard.slotBytes
  }

  /// Records that a request begins in the application. `method`, `path` and `name`, its id, may be of any
  /// length.
  @inline(__always)
  public func begin(
    _ slot: UInt32, at now: UInt64, app: Int, generation: UInt32, _ method: UnsafeRawBufferPointer,
    _ path: UnsafeRawBufferPointer, name: UnsafeRawBufferPointer = .init(start: nil, count: 0)
  ) {
    guard slot < Scoreboard.slots else { return }
    let entry = entry(Int(slot))
    entry.storeBytes(of: UInt32(app), toByteOffset: 8, as: UInt32.self)
    entry.storeBytes(of: generation, toByteOffset: 12, as: UInt32.self)
    let methodCount = min(method.count, 24)
    let pathCount = min(path.count, Scoreboard.textBytes - 25)
    entry.storeBytes(of: UInt8(methodCount), toByteOffset: 16, as: UInt8.self)
    entry.storeBytes(of: UInt8(pathCount), toByteOffset: 17, as: UInt8.self)
    if methodCount > 0 { (entry + 24).copyMemory(from: method.baseAddress!, byteCount: methodCount) }
    if pathCount > 0 {
      (entry + 24 + methodCount).copyMemory(from: path.baseAddress!, byteCount: pathCount)
    }
    let nameCount = min(name.count, Scoreboard.nameBytes)
    entry.storeBytes(of: UInt8(nameCount), toByteOffset: 18, as: UInt8.self)
    if nameCount > 0 {
      (entry + 24 + Scoreboard.textBytes).copyMemory(from: name.baseAddress!, byteCount: nameCount)
    }
    Cell(entry).value = now
  }

  /// Records that the request is over.
  @inline(__always)
  public func end(_ slot: UInt32) {
    if slot < Scoreboard.slots { Cell(entry(Int(slot))).value = 0 }
  }

  /// The request in a slot; nil if none is.
  public func entry(at slot: Int) -> Entry? {
    guard (0..<Scoreboard.slots).contains(slot) else { return nil }
    let entry = entry(slot)
    let began = Cell(entry).value
    guard began != 0 else { return nil }
    let methodCount = min(Int(entry.load(fromByteOffset: 16, as: UInt8.self)), 24)
    let pathCount = min(Int(entry.load(fromByteOffset: 17, as: UInt8.self)), Scoreboard.textBytes - 25)
    let text = UnsafeRawBufferPointer(start: entry + 24, count: methodCount + pathCount)
    let method = String(decoding: text[..<methodCount], as: UTF8.self)
    let path = String(decoding: text[methodCount...], as: UTF8.self)
    let nameCount = min(Int(entry.load(fromByteOffset: 18, as: UInt8.self)), Scoreboard.nameBytes)
    let place = entry + 24 + Scoreboard.textBytes
    let name = String(decoding: UnsafeRawBufferPointer(start: place, count: nameCount), as: UTF8.self)
    return Entry(
      slot: slot, began: began, app: Int(entry.load(fromByteOffset: 8, as: UInt32.self)),
      generation: UInt64(entry.load(fromByteOffset: 12, as: UInt32.self)),
      line: "\(method) \(path)" + (name.isEmpty ? "" : " [\(name)]"))
  }

  /// The request that the crashed thread was in, or, if no thread has recorded that, the oldest one; nil if
  /// it was in no known one.
  public var crashed: Entry? {
    let place = self[.crashedSlot].value
    if place == 0 { return entries.first }
    return place <= UInt64(Scoreboard.slots) ? entry(at: Int(place) - 1) : nil
  }

  // MARK: Stacks

  /// The memory of a stack: the beginning of its request (0: none), its slot, its bytes, the text.
  private func stack(_ index: Int) -> UnsafeMutableRawPointer {
    entry(Scoreboard.slots) + index * (Scoreboard.stackBytes + 16)
  }

  private func isStack(_ index: Int, of entry: Entry) -> Bool {
    let place = stack(index)
    return Cell(place).value == entry.began && place.load(fromByteOffset: 8, as: UInt32.self) == entry.slot
  }

  /// Shows what a running request is doing: lines of text, cut to `stackBytes`.
  public func show(stack text: UnsafeRawBufferPointer, of slot: Int) {
    guard slot < Scoreboard.slots, let entry = entry(at: slot) else { return }
    let known = self.entries
    let places = 0..<Scoreboard.stacks
    let index =
      places.first { isStack($0, of: entry) }
      ?? places.first { index in !known.contains { isStack(index, of: $0) } } ?? slot % Scoreboard.stacks
    let place = stack(index)
    let count = min(text.count, Scoreboard.stackBytes)
    Cell(place).value = 0
    place.storeBytes(of: UInt32(slot), toByteOffset: 8, as: UInt32.self)
    place.storeBytes(of: UInt32(count), toByteOffset: 12, as: UInt32.self)
    if count > 0 { (place + 16).copyMemory(from: text.baseAddress!, byteCount: count) }
    Cell(place).value = entry.began
  }

  /// The last stack shown for a request; nil for none.
  public func stack(of entry: Entry) -> String? {
    guard let index = (0..<Scoreboard.stacks).first(where: { isStack($0, of: entry) }) else { return nil }
    let place = stack(index)
    let count = min(Int(place.load(fromByteOffset: 12, as: UInt32.self)), Scoreboard.stackBytes)
    return String(decoding: UnsafeRawBufferPointer(start: place + 16, count: count), as: UTF8.self)
  }

  /// All recorded running requests, oldest first.
  public var entries: [Entry] {
    (0..<Scoreboard.slots).compactMap { entry(at: $0) }.sorted { $0.began < $1.began }
  }
}
