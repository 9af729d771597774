import CNSGI

/// Between the C table and the App protocol. Nothing of Swift crosses the edge: errors end here.
enum Kit {
  /// Behind the C table, for load(): how to make the application. C functions carry no context, and those
  /// of two applications in one library are the same functions.
  private final class Maker {
    let make: (Boot, HostTable) throws -> Service
    init(_ make: @escaping (Boot, HostTable) throws -> Service) { self.make = make }
  }

  static func makeTable<Application: App>(_ type: Application.Type) -> AppTable {
    let bytes = UnsafeMutableRawPointer.allocate(
      byteCount: makerOffset + MemoryLayout<UnsafeMutableRawPointer>.size, alignment: 16)
    let table = bytes.initializeMemory(as: nsgi_app.self, to: nsgi_app())
    table.pointee.head = nsgi_head(
      magic: UInt32(NSGI_MAGIC), major: UInt16(NSGI_MAJOR), minor: 0,
      size: UInt32(MemoryLayout<nsgi_app>.size), flags: Application.flags.rawValue)
    table.pointee.name = permanent(Application.name)
    table.pointee.version = permanent(Application.version)
    table.pointee.load = { boot, state in Kit.load(boot!, state!) }
    table.pointee.call = { state, request in
      Unmanaged<Service>.fromOpaque(state!).takeUnretainedValue().call(request!)
    }
    table.pointee.unload = { state in Unmanaged<Service>.fromOpaque(state!).release() }
    let maker = Maker { boot, host in TypedService(try Application(boot), host) }
    (bytes + makerOffset).initializeMemory(
      as: UnsafeMutableRawPointer.self, to: Unmanaged.passRetained(maker).toOpaque())
    return UnsafePointer(table)
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

/// One application at work; the `state` of the C table.
class Service {
  let host: HostTable

  init(_ host: HostTable) { self.host = host }

  func respond(to request: borrowing Request) throws -> Response { .status(501) }

  /// One request: what the C table's call() does. Answers an nsgi_result.
  final func call(_ view: UnsafePointer<nsgi_request>) -> Int32 {
    let request = Request(view, host)
    do {
      return try respond(to: request).send(to: request)
    } catch let abort as Abort {
      return Response.status(abort.status, abort.message).send(to: request)
    } catch HostError.gone {
      return NSGI_GONE.rawValue
    } catch HostError.tooLarge {
      return Response.status(413, "Content Too Large\n").send(to: request)
    } catch {
      request.log.error("\(error), answering \(request.method) \(request.path)")
      return NSGI_FAIL.rawValue
    }
  }
}

private final class TypedService<Application: App>: Service {
  private let app: Application

  init(_ app: Application, _ host: HostTable) {
    self.app = app
    super.init(host)
  }

  override func respond(to request: borrowing Request) throws -> Response { try app.respond(to: request) }
}
