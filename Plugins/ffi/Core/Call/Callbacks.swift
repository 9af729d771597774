// Function pointers for libraries: libffi closures, made once and used again. A closure is never freed, for
// nobody knows when a library has forgotten its address; one that is called late does nothing.
import CFFI
import Glibc
import Synchronization

/// What the callback of one call has seen. Only the thread of that call touches it.
final class CallbackRecord: @unchecked Sendable {
  /// Calls whose arguments are kept, at most; and the bytes of text in them.
  static let mostCalls = 100_000
  static let mostBytes = 16 << 20

  let thread = pthread_self()
  var calls: [JSONValue] = []
  var count = 0
  private var bytes = 0
  /// It was called too often, or its text was no UTF-8.
  var complaint: String?

  /// Counts text; false when there is too much of it.
  func takes(_ more: Int) -> Bool {
    bytes += more
    return bytes <= Self.mostBytes
  }
}

/// One closure.
final class CallbackSlot: @unchecked Sendable {
  let type: CallbackType
  private(set) var code: UnsafeMutableRawPointer?
  /// The call it works for; nil between calls.
  let record = Mutex<CallbackRecord?>(nil)

  /// nil if the system gives no memory for code.
  init?(_ type: CallbackType, _ interface: UnsafeMutablePointer<ffi_cif>) {
    self.type = type
    guard let memory = ffi_closure_alloc(MemoryLayout<ffi_closure>.size, &code), let code else { return nil }
    let closure = memory.assumingMemoryBound(to: ffi_closure.self)
    // One reference for ever, as the closure has.
    let this = Unmanaged.passRetained(self).toOpaque()
    let status = ffi_prep_closure_loc(
      closure, interface,
      { _, result, arguments, this in
        guard let this, let result else { return }
        let slot = Unmanaged<CallbackSlot>.fromOpaque(this).takeUnretainedValue()
        slot.run(result, arguments)
      }, this, code)
    guard status == FFI_OK else { return nil }
  }

  private func run(
    _ result: UnsafeMutableRawPointer, _ arguments: UnsafeMutablePointer<UnsafeMutableRawPointer?>?
  ) {
    let places = UnsafeBufferPointer(start: arguments, count: type.arguments.count)
    if case .compare(let isDescending) = type.behaviour {
      return answer(compare(places, isDescending), at: result)
    }
    record.withLock { record in
      guard let record else { return }
      guard pthread_equal(record.thread, pthread_self()) != 0 else { return }
      record.count += 1
      if case .collect = type.behaviour { collect(places, record) }
    }
    if let number = type.answer { answer(number, at: result) }
  }

  /// A returned integer fills a whole register (ffi_arg).
  private func answer(_ number: Number, at place: UnsafeMutableRawPointer) {
    switch number {
    case .signed(let value): place.storeBytes(of: value, as: Int64.self)
    case .unsigned(let value): place.storeBytes(of: value, as: UInt64.self)
    case .bool(let value): place.storeBytes(of: value ? 1 : 0, as: UInt64.self)
    case .float(let value): place.storeBytes(of: value, as: Float.self)
    case .double(let value): place.storeBytes(of: value, as: Double.self)
    }
  }

  // MARK: Comparing

  private func compare(
    _ places: UnsafeBufferPointer<UnsafeMutableRawPointer?>, _ isDescending: Bool
  ) -> Number {
    guard case .pointer(.scalar(let scalar)) = type.arguments[0].type, let one = Self.pointer(places[0]),
      let other = Self.pointer(places[1])
    else { return .signed(0) }
    let order = Self.order(Number(scalar, at: one), Number(scalar, at: other))
    return .signed(isDescending ? -order : order)
  }

  /// NaN stands behind every number, so that the order is total and sorting ends.
  private static func order(_ one: Number, _ other: Number) -> Int64 {
    func compare<Value: Comparable>(_ one: Value, _ other: Value) -> Int64 {
      one < other ? -1 : one > other ? 1 : 0
    }
    switch (one, other) {
    case (.signed(let one), .signed(let other)): return compare(one, other)
    case (.unsigned(let one), .unsigned(let other)): return compare(one, other)
    default:
      let (one, other) = (one.approximate, other.approximate)
      if one.isNaN || other.isNaN { return compare(one.isNaN ? 1 : 0, other.isNaN ? 1 : 0) }
      return compare(one, other)
    }
  }

  // MARK: Collecting

  private func collect(
    _ places: UnsafeBufferPointer<UnsafeMutableRawPointer?>, _ record: CallbackRecord
  ) {
    if record.complaint != nil { return }
    guard record.calls.count < CallbackRecord.mostCalls else {
      record.complaint = "it was called more than \(CallbackRecord.mostCalls) times"
      return
    }
    var members: [JSONValue.Member] = []
    for (index, argument) in type.arguments.enumerated() {
      guard let place = places[index], let value = value(of: argument.type, at: place, places, record) else {
        continue
      }
      members.append(JSONValue.Member(argument.name, value))
    }
    record.calls.append(.object(members))
  }

  private func value(
    of argument: CallbackType.Argument, at place: UnsafeMutableRawPointer,
    _ places: UnsafeBufferPointer<UnsafeMutableRawPointer?>, _ record: CallbackRecord
  ) -> JSONValue? {
    switch argument {
    case .opaque: return nil
    case .scalar(let scalar): return JSONValue(Number(scalar, at: place))
    case .pointer(let type): return Self.pointer(place).map { JSONValue(type, at: $0) } ?? .null
    case .text: return text(at: Self.pointer(place), record)
    case .texts(let name):
      guard let strings = Self.pointer(place) else { return .null }
      let count = count(name, places)
      guard record.takes(count) else { return tooMuch(record) }
      return .array((0..<count).map { text(at: Self.pointer(strings + $0 * 8), record) })
    case .bytes(let name):
      guard let start = Self.pointer(place) else { return .null }
      let count = count(name, places)
      guard record.takes(count) else { return tooMuch(record) }
      return .string(Base64.text(of: UnsafeRawBufferPointer(start: start, count: count)))
    }
  }

  private func text(at place: UnsafeMutableRawPointer?, _ record: CallbackRecord) -> JSONValue {
    guard let place else { return .null }
    guard let bytes = CText.bytes(at: place, most: CallbackRecord.mostBytes), record.takes(bytes.count) else {
      return tooMuch(record)
    }
    guard let string = String(validating: bytes, as: UTF8.self) else {
      record.complaint = "it was given text that is not UTF-8"
      return .null
    }
    return .string(string)
  }

  private func tooMuch(_ record: CallbackRecord) -> JSONValue {
    record.complaint = "it was given more than \(CallbackRecord.mostBytes) bytes"
    return .null
  }

  private func count(_ name: String, _ places: UnsafeBufferPointer<UnsafeMutableRawPointer?>) -> Int {
    guard let index = type.arguments.firstIndex(where: { $0.name == name }), let place = places[index],
      case .scalar(let scalar) = type.arguments[index].type
    else { return 0 }
    return Number(scalar, at: place).count ?? 0
  }

  private static func pointer(_ place: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    place?.load(as: UnsafeMutableRawPointer?.self)
  }
}

/// The closures of one parameter.
final class CallbackPool: Sendable {
  /// Closures that rest before one is used again: a late call finds one that does nothing.
  static let resting = 16

  private let type: CallbackType
  private let interface: UInt
  private let idle: Mutex<[CallbackSlot]>

  /// nil if libffi cannot make closures of this type here.
  init?(_ type: CallbackType) {
    let arguments: [FFIType] = type.arguments.map { argument in
      if case .scalar(let scalar) = argument.type { scalar.ffiType } else { cffi_pointer() }
    }
    let result: FFIType = type.result.map { $0.ffiType } ?? cffi_void()
    guard let interface = FFITypes.interface(arguments, result) else { return nil }
    // Made now, while the process may still map memory for code.
    var slots: [CallbackSlot] = []
    for _ in 0...Self.resting {
      guard let slot = CallbackSlot(type, interface) else { return nil }
      slots.append(slot)
    }
    self.type = type
    self.interface = UInt(bitPattern: interface)
    idle = Mutex(slots)
  }

  /// The one that has rested longest; nil if there is no memory for another.
  func take(_ record: CallbackRecord) -> CallbackSlot? {
    let rested = idle.withLock { $0.count > Self.resting ? $0.removeFirst() : nil }
    guard let slot = rested ?? another() else { return nil }
    slot.record.withLock { $0 = record }
    return slot
  }

  func giveBack(_ slot: CallbackSlot) {
    slot.record.withLock { $0 = nil }
    idle.withLock { $0.append(slot) }
  }

  private func another() -> CallbackSlot? {
    UnsafeMutablePointer<ffi_cif>(bitPattern: interface).flatMap { CallbackSlot(type, $0) }
  }
}
