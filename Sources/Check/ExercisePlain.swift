import CLinux
import CNSGI
import Glibc
import Host
import Wire

/// The plain form's functions in the exercise. As in the server they concern the request that the thread is
/// in: the thread-local holds an exchange of the exercise here, since this process never has another.
enum ExercisePlain {
  /// Calls application() for the exchange on this thread.
  static func call(_ application: Loader.Application, _ exchange: ExerciseExchange) -> Int32 {
    clinux_set_current(Unmanaged.passUnretained(exchange).toOpaque())
    defer { clinux_set_current(nil) }
    return application(environ, startResponse)
  }

  nonisolated(unsafe) private static let environ: UnsafePointer<nsgi_environ> = {
    let environ = UnsafeMutablePointer<nsgi_environ>.allocate(capacity: 1)
    environ.initialize(
      to: nsgi_environ(
        vars: { count in ExercisePlain.vars(count) },
        get: { name in ExercisePlain.get(name) },
        read: { buffer, capacity in
          ExercisePlain.current("read()")?.read(buffer, capacity) ?? Int64(NSGI_MISUSE.rawValue)
        },
        error: { line in ExercisePlain.error(line) }))
    return UnsafePointer(environ)
  }()

  private static let startResponse: nsgi_start_response = { status, headers in
    ExercisePlain.start(status, headers)
  }

  /// The exchange of this thread; reports a call from outside of one.
  private static func current(_ call: String) -> ExerciseExchange? {
    if ForkedCopy.isThis { return nil }
    guard let current = clinux_get_current() else {
      ExerciseHost.shared.violation("\(call) on a thread that is in no request")
      return nil
    }
    return Unmanaged<ExerciseExchange>.fromOpaque(current).takeUnretainedValue()
  }

  private static func vars(_ count: UnsafeMutablePointer<Int>?) -> UnsafePointer<UnsafePointer<CChar>?>? {
    count?.pointee = 0
    guard let exchange = current("vars()") else { return nil }
    count?.pointee = exchange.request.environCount
    return UnsafePointer(exchange.request.vars)
  }

  /// Answers even if the client has left: some variables always exist.
  private static func get(_ name: UnsafePointer<CChar>?) -> UnsafePointer<CChar>? {
    guard let exchange = current("get()"), let name else { return nil }
    return exchange.request.variable(UnsafeRawBufferPointer(cString: name)).p
  }

  private static func error(_ line: UnsafePointer<CChar>?) {
    guard let line else { return ExerciseHost.shared.violation("error() with NULL") }
    Log.shared.app(level: Int32(NSGI_ERROR.rawValue), UnsafeRawBufferPointer(cString: line))
  }

  private static func start(
    _ status: UnsafePointer<CChar>?, _ headers: UnsafePointer<UnsafePointer<CChar>?>?
  ) -> nsgi_write {
    guard let exchange = current("start_response()") else { return refusedWrite }
    let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
    let text = status.map { UnsafeRawBufferPointer(cString: $0) } ?? nothing
    guard text.count >= 3, let code = Ascii.decimal(UnsafeRawBufferPointer(rebasing: text[..<3])),
      text.count == 3 || text[3] == 0x20
    else {
      ExerciseHost.shared.violation("start_response() with a status that does not begin with three digits")
      return refusedWrite
    }
    let reason = UnsafeRawBufferPointer(rebasing: text[min(4, text.count)...])
    let result = exchange.start(status: Int32(code), reason: reason, headers)
    switch result {
    case NSGI_OK.rawValue: return acceptedWrite
    case NSGI_GONE.rawValue: return goneWrite
    default: return refusedWrite
    }
  }

  private static let acceptedWrite: nsgi_write = { bytes, count in
    ExercisePlain.current("write()")?.write("write()", bytes, count) ?? NSGI_MISUSE.rawValue
  }
  private static let refusedWrite: nsgi_write = { _, _ in NSGI_MISUSE.rawValue }
  private static let goneWrite: nsgi_write = { _, _ in
    ExercisePlain.current("write()") == nil ? NSGI_MISUSE.rawValue : NSGI_GONE.rawValue
  }
}

extension UnsafeRawBufferPointer {
  /// A C string without its zero.
  init(cString: UnsafePointer<CChar>) { self.init(start: cString, count: strlen(cString)) }
}
