// Every function of nsgi_host and every hook of nsgi_app, in Swift: what table.c does, with the interface as
// Swift imports it. The kit NSGI has an app of its own (Tests/Fixtures/kits). One file because the four apps
// are to be compared path by path.
import CNSGI
import Glibc
import Synchronization

/// What load() made; the state of the table.
final class Table: @unchecked Sendable {
  // Unchecked: constant.
  let host: UnsafePointer<nsgi_host>
  let generation: UInt32
  let log, file, report: String

  init(_ boot: nsgi_boot, _ log: String, _ file: String, _ color: String) {
    host = boot.host
    generation = boot.generation
    (self.log, self.file) = (log, file)
    report =
      "worker \(boot.worker) of \(boot.workers), generation \(boot.generation), \(color) on "
      + "\(String(cString: host.pointee.server)), table \(boot.app == appTable ? "own" : "another"), "
      + "from '\(boot.from_version.string)' '\(boot.from_state.string)'"
  }

  static let current = Mutex<Table?>(nil)
  static func of(_ state: UnsafeMutableRawPointer?) -> Table? {
    current.withLock { table in
      guard let own = table, Unmanaged.passUnretained(own).toOpaque() == state else { return nil }
      return own
    }
  }
}

/// Writes a line for a hook; `state` tells whether it is ours.
func note(_ state: UnsafeMutableRawPointer?, _ what: String) {
  let isStranger = Table.of(state) == nil
  write("\(what)\(isStranger ? " stranger" : "")", to: Table.current.withLock { $0?.log } ?? "")
}

func write(_ what: String, to log: String) {
  let fd = open(log, O_WRONLY | O_APPEND | O_CREAT, 0o644)
  let line = Array("\(getpid()) \(what)\n".utf8)
  if fd >= 0, Glibc.write(fd, line, line.count) == line.count { close(fd) }
}

extension nsgi_str {
  var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: p, count: n) }
  var string: String { String(decoding: bytes, as: UTF8.self) }
  init(_ text: StaticString) {
    let start = UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self)
    self.init(p: start, n: text.utf8CodeUnitCount)
  }
}

let noted = Atomic<nsgi_id>(0)
let last = Mutex("")
let contentType = field("Content-Type", "text/plain")

func field(_ name: StaticString, _ value: StaticString) -> @Sendable () -> nsgi_pair {
  { nsgi_pair(name: nsgi_str(name), value: nsgi_str(value)) }
}

struct Checksum {
  var hash: UInt64 = 0xcbf2_9ce4_8422_2325
  mutating func add(_ bytes: UnsafeRawBufferPointer) {
    for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
  }
  var text: String { String(hash, radix: 16) }
}

func release(_ count: UnsafeMutableRawPointer?) {
  count?.assumingMemoryBound(to: Atomic<Int32>.self).pointee.add(1, ordering: .sequentiallyConsistent)
}

/// A count at a fixed address, for C.
final class Count: @unchecked Sendable {
  // Unchecked: the place is constant, what is there is atomic.
  let place = UnsafeMutablePointer<Atomic<Int32>>.allocate(capacity: 1)
  init() { place.initialize(to: Atomic(0)) }
  deinit { place.deallocate() }
  var value: Int32 { place.pointee.load(ordering: .sequentiallyConsistent) }
}

/// Results with the names of what gave them.
struct List {
  var text = ""
  mutating func add(_ name: String, _ result: some BinaryInteger) { text += "\(name) \(result) " }
}

/// The functions of the host, for one request.
struct Exchange: @unchecked Sendable {
  // Unchecked: the host's table is constant, its functions are for any thread.
  let host: nsgi_host
  let id: nsgi_id
  init(_ table: Table, _ id: nsgi_id) { (host, self.id) = (table.host.pointee, id) }

  func respond(_ status: Int32, _ fields: [nsgi_pair], _ body: String) -> Int32 {
    var body = body
    return body.withUTF8 { host.respond(id, status, fields, fields.count, $0.baseAddress, $0.count) }
  }
  func say(_ body: String) -> Int32 { respond(200, [contentType()], body) }
  func start(_ status: Int32, _ fields: [nsgi_pair] = []) -> Int32 {
    host.start(id, status, fields, fields.count)
  }
  func write(_ text: String) -> Int32 {
    var text = text
    return text.withUTF8 { host.write(id, $0.baseAddress, $0.count) }
  }
  func lend(_ text: StaticString, _ released: Count?) -> Int32 {
    host.lend(id, text.utf8Start, text.utf8CodeUnitCount, released == nil ? nil : release, released?.place)
  }
  func read(_ count: Int, _ body: (UnsafeRawBufferPointer) -> Void = { _ in }) -> Int64 {
    withUnsafeTemporaryAllocation(byteCount: count, alignment: 1) { buffer in
      let got = host.read(id, buffer.baseAddress, count)
      body(UnsafeRawBufferPointer(rebasing: buffer[..<max(0, Int(got))]))
      return got
    }
  }
  func onReady(_ what: nsgi_ready, _ count: Count) -> Int32 {
    host.on_ready(id, Int32(what.rawValue), release, count.place)
  }
}

// MARK: The request

extension Exchange {
  func view(_ r: nsgi_request) -> Int32 {
    say(
      "\(r.method.string) mount=\(r.script_name.string) path=\(r.path_info.string) query=\(r.query.string) "
        + "\(r.protocol.string) \(r.scheme.string) address=\(r.remote_addr.string) "
        + "type=\(r.content_type.string) length=\(r.content_length) flags=\(r.flags) "
        + "size \(r.size >= MemoryLayout<nsgi_request>.size ? "whole" : "short")")
  }

  func environ() -> Int32 {
    var count = 0
    let pairs = host.environ(id, &count)
    let names = (0..<count).map { pairs![$0].name.string }
    let found = names.firstIndex(of: "HTTP_X_TABLE").map { pairs![$0].value.string } ?? "absent"
    let again = host.environ(id, nil) == pairs ? "the same" : "another"
    return say("\(found), doubles \(count - Set(names).count), again \(again)")
  }

  func fields() -> Int32 {
    var count = 0
    let pairs = host.fields(id, &count)
    let ours = (0..<count).map { pairs![$0] }.filter { $0.name.string == "x-table" }
    return say(ours.map { $0.value.string + "|" }.joined())
  }

  func env() -> Int32 {
    let absent = host.env(id, nsgi_str("HTTP_NOTHING")).p == nil ? "absent" : "there"
    return say("\(host.env(id, nsgi_str("HTTP_X_TABLE")).string), \(absent)")
  }

  func readAll() -> Int32 {
    var sum = Checksum()
    var total: Int64 = 0
    while true {
      let got = read(1021) { sum.add($0) }
      if got <= 0 { break }
      total += got
    }
    return say("\(total) \(sum.text), then \(read(1021))")
  }

  func body() -> Int32 {
    var (once, twice) = (nsgi_str(), nsgi_str())
    let result = host.body(id, &once) | host.body(id, &twice)
    var sum = Checksum()
    sum.add(once.bytes)
    let again = once.p == twice.p ? "the same" : "another"
    return say("\(once.n) \(sum.text), result \(result), again \(again)")
  }
}

// MARK: The response

extension Exchange {
  func replaceStart() -> Int32 {
    _ = start(500)
    return respond(202, [contentType(), field("X-Table", "replaced")()], "respond")
  }

  func stream(_ file: String) -> Int32 {
    let released = Count()
    let fd = open(file, O_RDONLY)
    var bad = start(201, [contentType(), field("X-Table", "streamed")()])
    bad |= write("one ")
    bad |= host.flush(id)
    bad |= lend("two ", released)
    bad |= lend("three ", nil)
    bad |= host.sendfile(id, fd, 2, 4)
    bad |= host.sendfile(id, fd, 7, -1)
    close(fd)
    return write(" released \(released.value), results \(bad)")
  }
}

// MARK: Asynchronous

/// Runs `body` on a thread of its own.
func thread(_ body: @escaping @Sendable () -> Void) -> pthread_t {
  var thread = pthread_t()
  let work = Unmanaged.passRetained(Work(body)).toOpaque()
  pthread_create(
    &thread, nil,
    {
      Unmanaged<Work>.fromOpaque($0!).takeRetainedValue().body()
      return nil
    }, work)
  return thread
}

final class Work {
  let body: @Sendable () -> Void
  init(_ body: @escaping @Sendable () -> Void) { self.body = body }
}

extension Exchange {
  func finishTwice(_ bad: Int32 = 0) {
    let once = bad | host.finish(id, NSGI_OK.rawValue)
    let again = host.finish(id, NSGI_OK.rawValue)
    last.withLock { $0 = "finish \(once), again \(again)" }
  }

  func later() -> Int32 {
    let beside = thread {
      let (ready, replaced) = (Count(), Count())
      var bad = onReady(NSGI_READY_GONE, replaced) | onReady(NSGI_READY_SPACE, ready)
      while ready.value == 0 { sched_yield() }
      bad |= onReady(NSGI_READY_GONE, replaced)
      bad |= host.on_ready(id, 0, nil, nil)
      bad |= say("ready \(ready.value), replaced \(replaced.value), results \(bad)")
      noted.store(id, ordering: .sequentiallyConsistent)
      finishTwice(bad)
    }
    pthread_detach(beside)
    return NSGI_ASYNC.rawValue
  }

  func early() -> Int32 {
    _ = say("early")
    finishTwice()
    return NSGI_ASYNC.rawValue
  }

  func beside() -> Int32 {
    let other = thread {
      _ = start(200, [contentType()])
      _ = write("from a thread")
    }
    pthread_join(other, nil)
    return NSGI_OK.rawValue
  }
}

// MARK: Wrongs

extension Exchange {
  func misuse() -> Int32 {
    var list = List()
    let nothing = nsgi_str(p: nil, n: 5)
    let released = Count()
    list.add("write", write("x"))
    list.add("lend", lend("x", released))
    list.add("sendfile", host.sendfile(id, 0, 0, 1))
    list.add("flush", host.flush(id))
    list.add("start", start(199))
    list.add("start", start(600))
    list.add("start", host.start(id, 200, nil, 1))
    list.add("respond", host.respond(id, 200, nil, 1, "x", 1))
    list.add("respond", host.respond(id, 200, nil, 0, nil, 5))
    list.add("read", host.read(id, nil, 5))
    list.add("read", read(0))
    list.add("body", host.body(id, nil))
    list.add("env", host.env(id, nothing).p == nil ? 0 : 1)
    list.add("on_ready", host.on_ready(id, Int32(NSGI_READY_SPACE.rawValue), nil, nil))
    list.add("on_ready", host.on_ready(id, 64, release, released.place))
    host.log(id, Int32(NSGI_ERROR.rawValue), nothing)
    list.add("extension", host.extension(nil) == nil ? 0 : 1)
    _ = start(200, [contentType()])
    list.add("write", host.write(id, nil, 5))
    list.add("write", host.write(id, nil, 0))
    list.add("lend", host.lend(id, nil, 5, release, released.place))
    list.add("sendfile", host.sendfile(id, -1, 0, 1))
    list.add("sendfile", host.sendfile(id, 0, -1, 1))
    _ = write(list.text)
    var rest = List()
    rest.add("start", start(200, [contentType()]))
    rest.add("respond", say("x"))
    rest.add("released", released.value)
    return write(rest.text)
  }

  /// Minor 1: an interim response, and fields behind both bodies.
  func behind() -> Int32 {
    var list = List()
    let link = [field("Link", "</a>; rel=preload")()]
    let own = [field("X-Table", "behind")()]
    var count = 0
    let fields = host.request_trailers(id, &count)
    for index in 0..<count { list.text += "\(fields![index].name.string)=\(fields![index].value.string) " }
    list.add("trailers", host.trailers(id, own, 1))
    list.add("interim", host.interim(id, 103, link, 1))
    list.add("interim", host.interim(id, 101, link, 1))
    list.add("interim", host.interim(id, 103, nil, 1))
    _ = start(200, [contentType(), field("Trailer", "X-Table")()])
    list.add("trailers", host.trailers(id, [field("Host", "x")()], 1))
    list.add("trailers", host.trailers(id, nil, 1))
    _ = write(list.text)
    guard host.interim(id, 103, link, 1) == NSGI_MISUSE.rawValue else { return NSGI_FAIL.rawValue }
    let isGood = host.trailers(id, own, 1) == NSGI_OK.rawValue
    return isGood && host.trailers(id, own, 1) == NSGI_MISUSE.rawValue
      ? NSGI_OK.rawValue : NSGI_FAIL.rawValue
  }

  /// Everything, for a request that is over or never was.
  func ask() -> String {
    var list = List()
    let released = Count()
    var count = 1
    var whole = nsgi_str()
    let isThere = host.environ(id, &count) != nil
    list.add("environ", (isThere ? 1 : 0) + count)
    list.add("fields", host.fields(id, nil) == nil ? 0 : 1)
    list.add("env", host.env(id, nsgi_str("REQUEST_METHOD")).p == nil ? 0 : 1)
    list.add("read", read(1))
    list.add("body", host.body(id, &whole))
    list.add("respond", say("late"))
    list.add("start", start(200, [contentType()]))
    list.add("write", write("late"))
    list.add("lend", lend("late", released))
    list.add("sendfile", host.sendfile(id, 0, 0, -1))
    list.add("flush", host.flush(id))
    list.add("on_ready", onReady(NSGI_READY_SPACE, released))
    list.add("finish", host.finish(id, NSGI_OK.rawValue))
    list.add("interim", host.interim(id, 103, nil, 0))
    list.add("trailers", host.trailers(id, nil, 0))
    list.add("request_trailers", host.request_trailers(id, nil) == nil ? 0 : 1)
    list.add("released", released.value)
    return list.text
  }

  func late(_ table: Table) -> Int32 {
    let over = Exchange(table, noted.load(ordering: .sequentiallyConsistent)).ask()
    let never = Exchange(table, 0).ask()
    return say("\(over), \(over == never ? "and never the same" : never)")
  }
}

// MARK: The table

func call(_ state: UnsafeMutableRawPointer?, _ request: UnsafePointer<nsgi_request>?) -> Int32 {
  guard let table = Table.of(state), let request else { return NSGI_FAIL.rawValue }
  let exchange = Exchange(table, request.pointee.id)
  switch request.pointee.path_info.string {
  case "/boot": return exchange.say(table.report)
  case let path where path.hasPrefix("/request"): return exchange.view(request.pointee)
  case "/environ": return exchange.environ()
  case "/fields": return exchange.fields()
  case "/env": return exchange.env()
  case "/extension": return exchange.say(exchange.host.extension("no.such/1") == nil ? "absent" : "there")
  case "/log":
    exchange.host.log(exchange.id, Int32(NSGI_WARNING.rawValue), nsgi_str("the table's line"))
    return exchange.say("table")
  case "/read": return exchange.readAll()
  case "/body": return exchange.body()
  case "/respond": return exchange.replaceStart()
  case "/stream": return exchange.stream(table.file)
  case "/later": return exchange.later()
  case "/early": return exchange.early()
  case "/last": return exchange.say(last.withLock { $0 })
  case "/beside": return exchange.beside()
  case "/misuse": return exchange.misuse()
  case "/behind": return exchange.behind()
  case "/late": return exchange.late(table)
  case "/fail": return NSGI_FAIL.rawValue
  case "/waiting":
    note(state, "waiting")
    return NSGI_ASYNC.rawValue
  default: return exchange.say("table")
  }
}

func load(
  _ boot: UnsafePointer<nsgi_boot>?, _ state: UnsafeMutablePointer<UnsafeMutableRawPointer?>?
) -> Int32 {
  guard let boot = boot?.pointee else { return NSGI_MISUSE.rawValue }
  var options = ["color": "none"]
  var next = boot.options!
  while let key = next[0], let value = next[1] {
    options[String(cString: key)] = String(cString: value)
    next += 2
  }
  write("load", to: options["log"] ?? "")
  if options["color"] == "refuse" {
    strncpy(boot.error, "no such color", boot.error_cap)
    return NSGI_FAIL.rawValue
  }
  let table = Table(boot, options["log"] ?? "", options["file"] ?? "", options["color"] ?? "")
  Table.current.withLock { $0 = table }
  state?.pointee = Unmanaged.passUnretained(table).toOpaque()
  return NSGI_OK.rawValue
}

typealias Sink = @convention(c) (UnsafeMutableRawPointer?, UnsafeRawPointer?, Int) -> Int32

func save(_ state: UnsafeMutableRawPointer?, _ sink: Sink?, _ argument: UnsafeMutableRawPointer?) -> Int32 {
  note(state, "save")
  guard let sink, let table = Table.of(state) else { return NSGI_MISUSE.rawValue }
  let number = Array("\(table.generation)".utf8)
  let result = sink(argument, "saved by ", 9)
  return result < 0 ? result : sink(argument, number, number.count)
}

func cancel(_ state: UnsafeMutableRawPointer?, _ request: UnsafePointer<nsgi_request>?) {
  guard let table = Table.of(state), let request else { return note(state, "cancel") }
  // The call of any other is running, and will end it.
  guard request.pointee.path_info.string == "/waiting" else { return }
  note(state, "cancel \(request.pointee.path_info.string)")
  let exchange = Exchange(table, request.pointee.id)
  var list = List()
  list.add("read", exchange.read(1))
  list.add("start", exchange.start(200, [contentType()]))
  list.add("respond", exchange.say("x"))
  list.add("write", exchange.write("x"))
  list.add("flush", exchange.host.flush(exchange.id))
  list.add("finish", exchange.host.finish(exchange.id, NSGI_GONE.rawValue))
  list.add("again", exchange.host.finish(exchange.id, NSGI_GONE.rawValue))
  note(state, "cancelled \(list.text)")
}

func text(_ literal: StaticString) -> UnsafePointer<CChar> {
  UnsafeRawPointer(literal.utf8Start).assumingMemoryBound(to: CChar.self)
}

nonisolated(unsafe) let appTable: UnsafePointer<nsgi_app> = {
  var app = nsgi_app()
  app.head = nsgi_head(
    magic: UInt32(NSGI_MAGIC), major: UInt16(NSGI_MAJOR), minor: 0, size: UInt32(MemoryLayout<nsgi_app>.size),
    flags: NSGI_THREADSAFE.rawValue | NSGI_MAY_ASYNC.rawValue)
  (app.name, app.version) = (text("table"), text("1.2"))
  (app.call, app.load, app.save, app.cancel) = (call, load, save, cancel)
  app.probe = {
    note($0, "probe"); return Table.of($0) == nil ? NSGI_FAIL.rawValue : NSGI_OK.rawValue
  }
  app.drain = { note($0, "drain") }
  app.unload = {
    note($0, "unload"); Table.current.withLock { $0 = nil }
  }
  app.thread = { note($0, $1 == 0 ? "leave" : "enter") }
  app.extension = { strcmp($0!, "table/1") == 0 ? UnsafeRawPointer(text("the table's own")) : nil }
  let place = UnsafeMutablePointer<nsgi_app>.allocate(capacity: 1)
  place.initialize(to: app)
  return UnsafePointer(place)
}()

@c(nsgi_entry) public func entry(_ offer: UnsafePointer<nsgi_host>?) -> UnsafePointer<nsgi_app>? {
  offer?.pointee.head.major == UInt16(NSGI_MAJOR) ? appTable : nil
}
