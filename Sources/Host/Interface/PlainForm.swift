import CLinux
import CNSGI
import Glibc
import Wire

/// The plain form: functions without a context argument, which concern the request that this thread is in (a
/// thread-local, as WSGI itself rules). From any other thread they answer NSGI_MISUSE.
enum PlainForm {
  typealias Callable =
    @convention(c) (
      UnsafePointer<nsgi_environ>?, nsgi_start_response?
    ) -> Int32

  /// One environ for all requests: it holds functions only.
  nonisolated(unsafe) static let environ: UnsafePointer<nsgi_environ> = {
    let environ = UnsafeMutablePointer<nsgi_environ>.allocate(capacity: 1)
    environ.initialize(
      to: nsgi_environ(
        vars: { count in PlainForm.vars(count) },
        get: { name in PlainForm.get(name) },
        read: { buffer, capacity in PlainForm.read(buffer, capacity) },
        error: { line in PlainForm.error(line) }))
    return UnsafePointer(environ)
  }()

  static let startResponse: nsgi_start_response = { status, headers in PlainForm.start(status, headers) }

  @inline(__always)
  private static var current: ExchangePointer? {
    clinux_get_current()?.assumingMemoryBound(to: Exchange.self)
  }

  /// Works on the request that this thread is in; nil outside one.
  @inline(__always)
  @discardableResult
  private static func inside<Answer>(_ body: (ExchangePointer) -> Answer) -> Answer? {
    guard let exchange = current else { return nil }
    return Access.with(exchange.id, body)
  }

  private static func vars(_ count: UnsafeMutablePointer<Int>?) -> UnsafePointer<UnsafePointer<CChar>?>? {
    count?.pointee = 0
    return inside { exchange in
      let list = exchange.pointee.varsList()
      count?.pointee = exchange.lists.environCount
      return list
    } ?? nil
  }

  private static func get(_ name: UnsafePointer<CChar>?) -> UnsafePointer<CChar>? {
    guard let name else { return nil }
    let text = UnsafeRawBufferPointer(start: name, count: strlen(name))
    return inside { $0.pointee.variable(named: text).p } ?? nil
  }

  private static func read(_ buffer: UnsafeMutableRawPointer?, _ capacity: Int) -> Int64 {
    inside { $0.worker.read($0, buffer, capacity) } ?? Int64(NSGI_MISUSE.rawValue)
  }

  private static func error(_ line: UnsafePointer<CChar>?) {
    guard let line else { return }
    let text = UnsafeRawBufferPointer(start: line, count: strlen(line))
    Log.shared.app(level: Int32(NSGI_ERROR.rawValue), text)
    inside { $0.worker.copyToFrontEnd($0, text) }
  }

  /// start_response: "200 OK" and name, value, …, NULL. Never NULL: after a refused head the write that is
  /// returned answers NSGI_MISUSE.
  private static func start(
    _ status: UnsafePointer<CChar>?, _ headers: UnsafePointer<UnsafePointer<CChar>?>?
  ) -> nsgi_write {
    inside { start($0, status, headers) } ?? refusedWrite
  }

  @inline(__always)
  private static func start(
    _ exchange: ExchangePointer, _ status: UnsafePointer<CChar>?,
    _ headers: UnsafePointer<UnsafePointer<CChar>?>?
  ) -> nsgi_write {
    guard exchange.allows(.start) else { return refusedWrite }
    do throws(ResponseError) {
      try begin(exchange, status)
      var position = 0
      while let headers, let name = headers[position] {
        guard let value = headers[position + 1] else { throw ResponseError.invalidValue }
        try exchange.response.add(
          name: UnsafeRawBufferPointer(start: name, count: strlen(name)),
          value: UnsafeRawBufferPointer(start: value, count: strlen(value)))
        position += 2
      }
    } catch {
      _ = exchange.worker.refused(exchange, error)
      return refusedWrite
    }
    return acceptedWrite
  }

  private static func begin(
    _ exchange: ExchangePointer, _ status: UnsafePointer<CChar>?
  ) throws(ResponseError) {
    guard let status else { throw .invalidStatus }
    let text = UnsafeRawBufferPointer(start: status, count: strlen(status))
    guard text.count >= 3, let code = Ascii.decimal(UnsafeRawBufferPointer(rebasing: text[..<3])),
      text.count == 3 || text[3] == 0x20
    else { throw .invalidStatus }
    guard code >= 200 else { throw .invalidStatus }
    let reason = UnsafeRawBufferPointer(rebasing: text[min(4, text.count)...])
    let isStandard = code == 200 && Ascii.equals(reason, "OK") || reason.isEmpty
    try exchange.response.begin(status: Int(code), reason: isStandard ? nil : reason)
  }

  private static let acceptedWrite: nsgi_write = { bytes, count in
    guard let exchange = PlainForm.current else { return NSGI_MISUSE.rawValue }
    return Access.with(exchange.id) { exchange in
      guard count >= 0, bytes != nil || count == 0 else { return NSGI_MISUSE.rawValue }
      return exchange.owner._withUnsafeGuaranteedRef {
        $0.write(exchange, UnsafeRawBufferPointer(start: bytes, count: count))
      }
    } ?? ForkedCopy.absent
  }

  private static let refusedWrite: nsgi_write = { _, _ in NSGI_MISUSE.rawValue }
}
