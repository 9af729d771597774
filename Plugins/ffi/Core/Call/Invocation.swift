// One call: the client's values into C's memory, the call itself, C's memory into an answer.
import CFFI
import Glibc

/// One call of one function.
struct Invocation {
  let function: Function
  let handles: HandleTable
  /// Who asks: the address, if that is known.
  let client: String
  /// Held during calls of functions that are not thread-safe.
  let oneAtATime: Lock

  private let memory = CallMemory()
  /// Where libffi finds each argument.
  private var arguments: [UnsafeMutableRawPointer?] = []
  /// What each parameter's pointer points to, by name.
  private var targets: [String: UnsafeMutableRawPointer] = [:]
  /// Bytes or elements of what has a length, by name.
  private var lengths: [String: Int] = [:]
  /// Handles that the call uses; the first `locked` of them are locked.
  private var held: [Handle] = []
  private var locked = 0
  private var closing: [Handle] = []
  private var callbacks: [(name: String, slot: CallbackSlot, record: CallbackRecord)] = []

  /// Calls `function` with what the client gave, by parameter.
  static func run(
    _ function: Function, _ given: [String: Given], _ handles: HandleTable, _ oneAtATime: Lock,
    client: String
  ) throws(RequestError) -> Outcome {
    handles.sweep(oneAtATime)
    var invocation = Invocation(function, handles, oneAtATime, client)
    defer { invocation.letGo() }
    try invocation.prepare(given)
    let (result, errorNumber) = invocation.call()
    return try invocation.outcome(result, errorNumber)
  }

  private init(_ function: Function, _ handles: HandleTable, _ oneAtATime: Lock, _ client: String) {
    (self.function, self.handles, self.oneAtATime, self.client) = (function, handles, oneAtATime, client)
  }

  // MARK: Before

  private mutating func prepare(_ given: [String: Given]) throws(RequestError) {
    let parameters = function.signature.parameters
    if case .handle = function.signature.result { try checkRoom() }
    for parameter in parameters {
      if case .length = parameter.binding {
        arguments.append(nil)
        continue
      }
      try add(parameter, given[parameter.name])
    }
    // Lengths last: what they are of may stand behind them.
    var index = 0
    for parameter in parameters {
      if case .length(let name) = parameter.binding { arguments[index] = try length(parameter, of: name) }
      index += isTwoArguments(parameter) ? 2 : 1
    }
    try lockHandles()
    try takeCallbacks()
  }

  private func isTwoArguments(_ parameter: Parameter) -> Bool {
    parameter.type == .bytes && !function.measured.contains(parameter.name)
  }

  /// Makes the argument of one parameter; those of handles and callbacks follow in their own time.
  private mutating func add(_ parameter: Parameter, _ given: Given?) throws(RequestError) {
    let name = parameter.name
    if parameter.isInput, given == nil, !parameter.isOptional { throw .bad(name, "it is missing") }
    switch parameter.type {
    case .plain(let type):
      arguments.append(try value(parameter, type, given))
    case .pointer(let type, let direction):
      let place = direction == .output ? memory.allocate(type.size) : try value(parameter, type, given)
      point(name, to: place)
    case .text:
      let bytes = try given?.text(name, most: function.maxBytes)
      if bytes == nil, parameter.type == .text(isOptional: false) { throw .bad(name, "it cannot be null") }
      lengths[name] = bytes?.count ?? 0
      arguments.append(memory.pointer(to: bytes.map { memory.copy($0) }))
    case .bytes: try addBytes(name, given)
    case .array(let scalar, _): try addArray(parameter, scalar, given)
    case .buffer(let capacity, let isText):
      // One more than the function knows of, so that text always has an end.
      point(name, to: memory.allocate(capacity + (isText ? 1 : 0)))
      lengths[name] = capacity
    case .outArray(let scalar, let count):
      point(name, to: memory.allocate(count * scalar.size))
      lengths[name] = count
    case .outHandle:
      try checkRoom()
      point(name, to: memory.allocate(8))
    case .outText: point(name, to: memory.allocate(8))
    case .handle(let tag, let closes): try find(name, tag, closes, given)
    case .callback, .opaque: arguments.append(memory.pointer(to: nil))
    }
  }

  /// Before the call, so that no object is opened in vain.
  private func checkRoom() throws(RequestError) {
    do { try handles.checkRoom(client: client) } catch { throw RequestError(503, error.sentence) }
  }

  private mutating func point(_ name: String, to place: UnsafeMutableRawPointer) {
    targets[name] = place
    arguments.append(memory.pointer(to: place))
  }

  private func value(
    _ parameter: Parameter, _ type: PlainType, _ given: Given?
  ) throws(RequestError) -> UnsafeMutableRawPointer {
    let place = memory.allocate(max(type.size, 8))
    switch (parameter.binding, type) {
    case (.constant(let number), .scalar(let scalar)): number.store(as: scalar, at: place)
    case (.optional(let number), .scalar(let scalar)) where given == nil: number.store(as: scalar, at: place)
    case (_, .scalar(let scalar)):
      guard let number = try given?.number(scalar, parameter.name) else { break }
      try check(number, parameter, parameter.name)
      number.store(as: scalar, at: place)
    default: try given?.store(type, at: place, parameter.name)
    }
    return place
  }

  private func check(_ number: Number, _ parameter: Parameter, _ name: String) throws(RequestError) {
    guard let range = parameter.range, !range.contains(number.approximate) else { return }
    let low = NumberText.text(.double(range.lowerBound))
    let high = NumberText.text(.double(range.upperBound))
    throw .bad(name, "\(NumberText.text(number)) is outside \(low) to \(high)")
  }

  private mutating func addBytes(_ name: String, _ given: Given?) throws(RequestError) {
    let bytes = try given?.bytes(name, most: function.maxBytes) ?? []
    lengths[name] = bytes.count
    point(name, to: memory.copy(bytes))
    guard !function.measured.contains(name) else { return }
    let count = memory.allocate(8)
    count.storeBytes(of: UInt64(bytes.count), as: UInt64.self)
    arguments.append(count)
  }

  private mutating func addArray(
    _ parameter: Parameter, _ scalar: Scalar, _ given: Given?
  ) throws(RequestError) {
    let name = parameter.name
    let numbers = try given?.numbers(scalar, name, most: function.maxBytes / scalar.size) ?? []
    let place = memory.allocate(numbers.count * scalar.size)
    for (index, number) in numbers.enumerated() {
      try check(number, parameter, "\(name)[\(index)]")
      number.store(as: scalar, at: place + index * scalar.size)
    }
    lengths[name] = numbers.count
    point(name, to: place)
  }

  /// The argument that is the length of `name`.
  private mutating func length(
    _ parameter: Parameter, of name: String
  ) throws(RequestError) -> UnsafeMutableRawPointer {
    let place = memory.allocate(8)
    let scalar: Scalar
    switch parameter.type {
    case .plain(.scalar(let type)), .pointer(.scalar(let type), _): scalar = type
    default: return place
    }
    guard let number = Number(count: lengths[name] ?? 0, as: scalar) else {
      throw .bad(name, "its length is more than \(scalar.withArticle) can say")
    }
    number.store(as: scalar, at: place)
    guard case .pointer = parameter.type else { return place }
    targets[parameter.name] = place
    return memory.pointer(to: place)
  }

  // MARK: Handles and callbacks

  private mutating func find(
    _ name: String, _ tag: String, _ closes: Bool, _ given: Given?
  ) throws(RequestError) {
    guard let id = try given?.text(name, most: 64), let text = String(validating: id, as: UTF8.self),
      let handle = handles.find(text, tag: tag)
    else { throw RequestError(404, "\(name): there is no such \(tag) here", parameter: name) }
    arguments.append(memory.pointer(to: handle.pointer))
    if !held.contains(where: { $0 === handle }) { held.append(handle) }
    if closes { closing.append(handle) }
  }

  /// In one order for all calls, so that no two wait for each other.
  private mutating func lockHandles() throws(RequestError) {
    held.sort { $0.id < $1.id }
    for handle in held {
      handle.lock.lock()
      locked += 1
    }
    if let closed = held.first(where: \.isClosed) {
      throw RequestError(404, "the \(closed.tag) was closed meanwhile")
    }
  }

  private mutating func takeCallbacks() throws(RequestError) {
    var index = 0
    for parameter in function.signature.parameters {
      if let pool = function.pools[parameter.name] {
        let record = CallbackRecord()
        guard let slot = pool.take(record) else {
          throw RequestError(503, "\(parameter.name): there is no memory for another callback")
        }
        callbacks.append((parameter.name, slot, record))
        arguments[index] = memory.pointer(to: slot.code)
      }
      index += isTwoArguments(parameter) ? 2 : 1
    }
  }

  private func letGo() {
    for callback in callbacks { function.pools[callback.name]?.giveBack(callback.slot) }
    for handle in held.prefix(locked).reversed() {
      handles.used(handle)
      handle.lock.unlock()
    }
  }

  // MARK: The call

  /// Returns where the result lies, and errno.
  private mutating func call() -> (result: UnsafeMutableRawPointer, errorNumber: Int32) {
    let size = if case .plain(let type) = function.signature.result { type.size } else { 8 }
    let result = memory.allocate(max(size, 16))
    let isAlone = !function.signature.attributes.isThreadsafe
    if isAlone { oneAtATime.lock() }
    errno = 0
    arguments.withUnsafeMutableBufferPointer {
      ffi_call(function.interface, function.code, result, $0.baseAddress)
    }
    let errorNumber = errno
    if isAlone { oneAtATime.unlock() }
    return (result, errorNumber)
  }

  // MARK: After

  /// Everything is read and given back before anything is found wrong with it.
  private mutating func outcome(
    _ place: UnsafeMutableRawPointer, _ errorNumber: Int32
  ) throws(RequestError) -> Outcome {
    var outcome = Outcome()
    let signature = function.signature
    outcome.hasFailed = hasFailed(place)
    if signature.attributes.reportsErrno { outcome.errorNumber = errorNumber }
    var complaint: RequestError?
    func note(_ read: () throws(RequestError) -> Output?) -> Output? {
      do { return try read() } catch {
        if complaint == nil { complaint = error }
        return nil
      }
    }
    let told = toldLengths(place)
    outcome.result = note { () throws(RequestError) in try result(at: place) }
    for parameter in signature.parameters where parameter.isOutput {
      let value = note { () throws(RequestError) in
        try output(parameter, told[parameter.name], outcome.hasFailed)
      }
      if let value { outcome.outputs.append((parameter.name, value)) }
    }
    if !outcome.hasFailed { for handle in closing { handles.remove(handle) } }
    if let complaint { throw complaint }
    return outcome
  }

  private func hasFailed(_ place: UnsafeMutableRawPointer) -> Bool {
    guard let rule = function.signature.attributes.fails else { return false }
    switch (rule, function.signature.result) {
    case (.null, _): return place.load(as: UnsafeMutableRawPointer?.self) == nil
    case (.negative, .plain(.scalar(let scalar))): return Number(scalar, at: place).approximate < 0
    case (.nonzero, .plain(.scalar(let scalar))): return Number(scalar, at: place).approximate != 0
    case (.zero, .plain(.scalar(let scalar))): return Number(scalar, at: place).approximate == 0
    default: return false
    }
  }

  /// Lengths that the function has told, by parameter: never more than there is room for.
  private func toldLengths(_ place: UnsafeMutableRawPointer) -> [String: Int] {
    var told: [String: Int] = [:]
    for parameter in function.signature.parameters {
      guard case .length(let name) = parameter.binding,
        case .pointer(.scalar(let scalar), let direction) = parameter.type, direction != .input,
        let target = targets[parameter.name]
      else { continue }
      told[name] = Number(scalar, at: target).count ?? 0
    }
    if let name = function.signature.resultIsLengthOf,
      case .plain(.scalar(let scalar)) = function.signature.result
    {
      told[name] = Number(scalar, at: place).count ?? 0
    }
    return told
  }

  private func result(at place: UnsafeMutableRawPointer) throws(RequestError) -> Output? {
    switch function.signature.result {
    case .void: return nil
    case .plain(let type): return .value(JSONValue(type, at: place))
    case .pointer(let type):
      guard let target = place.load(as: UnsafeMutableRawPointer?.self) else { return .value(.null) }
      return .value(JSONValue(type, at: target))
    case .text(let ownership): return try text(at: place, ownership, "the result")
    case .handle(let tag, let ownership): return try handle(at: place, tag, ownership, false)
    }
  }

  private func output(
    _ parameter: Parameter, _ told: Int?, _ hasFailed: Bool
  ) throws(RequestError) -> Output? {
    if let callback = callbacks.first(where: { $0.name == parameter.name }) {
      return try collected(callback.name, callback.slot.type, callback.record)
    }
    guard let place = targets[parameter.name] else { return nil }
    switch parameter.type {
    case .pointer(let type, _): return .value(JSONValue(type, at: place))
    case .array(let scalar, _):
      return .value(JSONValue(scalar, count: lengths[parameter.name] ?? 0, at: place))
    case .outArray(let scalar, let count): return .value(JSONValue(scalar, count: count, at: place))
    case .buffer(let capacity, let isText):
      if hasFailed { return .value(.null) }
      let count = min(told ?? capacity, capacity)
      if isText { return .text(CText.bytes(at: place, most: count) ?? Self.bytes(at: place, count)) }
      return .bytes(Self.bytes(at: place, count))
    case .outText(let ownership): return try text(at: place, ownership, parameter.name)
    case .outHandle(let tag, let ownership): return try handle(at: place, tag, ownership, hasFailed)
    case .plain, .text, .bytes, .handle, .callback, .opaque: return nil
    }
  }

  private static func bytes(at place: UnsafeRawPointer, _ count: Int) -> [UInt8] {
    Array(UnsafeRawBufferPointer(start: place, count: count))
  }

  private func text(
    at place: UnsafeMutableRawPointer, _ ownership: Ownership, _ name: String
  ) throws(RequestError) -> Output {
    guard let start = place.load(as: UnsafeMutableRawPointer?.self) else { return .value(.null) }
    let bytes = CText.bytes(at: start, most: function.maxBytes)
    function.release(ownership)?(start)
    guard let bytes else {
      throw RequestError(500, "\(name) is longer than \(function.maxBytes) bytes, the function's max=")
    }
    return .text(bytes)
  }

  private func handle(
    at place: UnsafeMutableRawPointer, _ tag: String, _ ownership: Ownership, _ hasFailed: Bool
  ) throws(RequestError) -> Output {
    guard let pointer = place.load(as: UnsafeMutableRawPointer?.self) else { return .value(.null) }
    let release = function.release(ownership)
    if hasFailed {
      // Some libraries set it even then, such as sqlite3_open, for an error message.
      release?(pointer)
      return .value(.null)
    }
    do {
      return .value(.string(try handles.add(pointer, tag: tag, client: client, release: release)))
    } catch {
      release?(pointer)
      throw RequestError(503, error.sentence)
    }
  }

  private func collected(
    _ name: String, _ type: CallbackType, _ record: CallbackRecord
  ) throws(RequestError) -> Output {
    if let complaint = record.complaint { throw RequestError(500, "\(name): \(complaint)") }
    if case .count = type.behaviour { return .value(.number(record.count)) }
    return .value(.array(record.calls))
  }
}
