import CNSGI

/// Between the C table and the App protocol. Nothing of Swift crosses the edge: errors end here.
enum Kit {
  /// Behind the C table, for load(): how to make the application. C functions carry no context, and those
  /// of two applications in one library are the same functions.
  private final class Maker {
    let make: (Boot, HostTable) throws -> Service
    init(_ make: @escaping (Boot, HostTable) throws -> Service) { self.make = make }
  }

  /// A table for an application that `make` makes; it lives for ever.
  static func makeTable<Application: AppLifecycle>(
    _ type: Application.Type, _ flags: AppFlags, _ make: @escaping (Boot, HostTable) throws -> Service
  ) -> AppTable {
    let bytes = UnsafeMutableRawPointer.allocate(
      byteCount: makerOffset + MemoryLayout<UnsafeMutableRawPointer>.size, alignment: 16)
    let table = bytes.initializeMemory(as: nsgi_app.self, to: nsgi_app())
    table.pointee.head = nsgi_head(
      magic: UInt32(NSGI_MAGIC), major: UInt16(NSGI_MAJOR), minor: 0,
      size: UInt32(MemoryLayout<nsgi_app>.size), flags: flags.rawValue)
    table.pointee.name = permanent(Application.name)
    table.pointee.version = permanent(Application.version)
    table.pointee.load = { boot, state in Kit.load(boot!, state!) }
    table.pointee.call = { state, request in Kit.service(state).call(request!) }
    table.pointee.probe = { state in Kit.service(state).attempt("probe") { try $0.probe() } }
    table.pointee.save = { state, sink, argument in
      Kit.service(state).attempt("save") { try $0.save(to: StateSink(sink!, argument)) }
    }
    table.pointee.drain = { state in Kit.service(state).drain() }
    table.pointee.unload = { state in Unmanaged<Service>.fromOpaque(state!).release() }
    table.pointee.thread = { state, entering in Kit.service(state).thread(entering: entering != 0) }
    table.pointee.cancel = { state, request in Kit.service(state).cancel(request!.pointee.id) }
    (bytes + makerOffset).initializeMemory(
      as: UnsafeMutableRawPointer.self, to: Unmanaged.passRetained(Maker(make)).toOpaque())
    return UnsafePointer(table)
  }

  private static func service(_ state: UnsafeMutableRawPointer?) -> Service {
    Unmanaged<Service>.fromOpaque(state!).takeUnretainedValue()
  }

  private static let makerOffset = (MemoryLayout<nsgi_app>.size + 15) & ~15

  private static func permanent(_ text: String) -> UnsafePointer<CChar> {
    let source = text.utf8CString
    let copy = UnsafeMutableBufferPointer<CChar>.allocate(capacity: source.count)
    _ = copy.initialize(from: source)
    return UnsafePointer(copy.baseAddress!)
  }

  private static func load(
    _ boot: UnsafePointer<nsgi_boot>, _ state: UnsafeMutablePointer<UnsafeMutableRawPointer?>
  ) -> Int32 {
    let table = UnsafeRawPointer(boot.pointee.app!)
    let maker = Unmanaged<Maker>.fromOpaque((table + makerOffset).load(as: UnsafeMutableRawPointer.self))
    do {
      let service = try maker.takeUnretainedValue().make(Boot(boot), boot.pointee.host!)
      state.pointee = Unmanaged.passRetained(service).toOpaque()
      return NSGI_OK.rawValue
    } catch {
      explain("\(error)", to: boot.pointee.error, boot.pointee.error_cap)
      return NSGI_FAIL.rawValue
    }
  }

  private static func explain(_ text: String, to buffer: UnsafeMutablePointer<CChar>?, _ capacity: Int) {
    guard let buffer, capacity > 0 else { return }
    var count = 0
    for byte in text.utf8.prefix(capacity - 1) {
      buffer[count] = CChar(bitPattern: byte)
      count += 1
    }
    buffer[count] = 0
  }
}
