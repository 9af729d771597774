// environ: a fresh dict for each request, copied from one that is kept for requests of the same shape, in
// which only what differs from the request before has to be made anew.
import CNSGI
import CPython
import Glibc

/// What an environ says about the server (PEP 3333, "environ Variables").
struct EnvironFacts {
  let isMultithread, isMultiprocess, runsOnce: Bool
  /// Of the server.
  let version: UnsafePointer<CChar>?
}

/// One variable of a template: the objects in it, and their bytes to compare with.
private struct KeptPair {
  let name: Object
  let nameBytes: UnsafeRawBufferPointer
  var value: Object
  var valueBytes: UnsafeRawBufferPointer
}

/// The environ of the last request that had these variables in this order.
private struct EnvironShape {
  var signature: UInt = 0
  var dict: Object?
  var pairs: UnsafeMutableBufferPointer<KeptPair> = .init(start: nil, count: 0)
}

/// The templates of one application; guarded by the interpreter's lock.
struct EnvironShapes {
  /// A power of two.
  private static let capacity = 64
  private let facts: EnvironFacts
  private let shapes = UnsafeMutablePointer<EnvironShape>.allocate(capacity: EnvironShapes.capacity)

  init(_ facts: EnvironFacts) {
    self.facts = facts
    shapes.initialize(repeating: EnvironShape(), count: Self.capacity)
  }

  /// A new dict for the request, of one reference; nil with an exception set.
  @inline(__always)
  func environ(_ list: UnsafePointer<nsgi_pair>, _ count: Int, isTLS: Bool) -> Object? {
    let signature = Self.signature(list, count, isTLS)
    let shape = shapes + Int(signature & UInt(Self.capacity - 1))
    if shape.pointee.signature == signature, shape.pointee.pairs.count == count,
      Self.refresh(shape, list, count)
    {
      return PyDict_Copy(shape.pointee.dict)
    }
    return rebuild(shape, signature, list, count, isTLS)
  }

  /// Names by length and last letter: what differs here is another shape. What does not is compared.
  @inline(__always)
  private static func signature(_ list: UnsafePointer<nsgi_pair>, _ count: Int, _ isTLS: Bool) -> UInt {
    var result: UInt = isTLS ? 1 : 2
    for index in 0..<count {
      let name = list[index].name
      let last = name.n > 0 ? UInt(UInt8(bitPattern: name.p[name.n - 1])) : 0
      result = (result &* 31) ^ (UInt(bitPattern: name.n) &+ last << 8)
    }
    return result ^ (result >> 17)
  }

  /// Brings the values of a template up to date; false when it is another shape after all.
  @inline(__always)
  private static func refresh(
    _ shape: UnsafeMutablePointer<EnvironShape>, _ list: UnsafePointer<nsgi_pair>, _ count: Int
  ) -> Bool {
    let pairs = shape.pointee.pairs.baseAddress!
    for index in 0..<count {
      guard same(list[index].name, pairs[index].nameBytes) else { return false }
      if same(list[index].value, pairs[index].valueBytes) { continue }
      guard change(shape, index, list[index].value) else { return false }
    }
    return true
  }

  @inline(__always)
  private static func same(_ text: nsgi_str, _ kept: UnsafeRawBufferPointer) -> Bool {
    guard text.n == kept.count else { return false }
    let (one, other) = (UnsafeRawPointer(text.p!), kept.baseAddress!)
    // Most are short: two overlapping words say as much as a call.
    if text.n >= 8, text.n <= 16 {
      let last = text.n - 8
      return one.loadUnaligned(as: UInt64.self) == other.loadUnaligned(as: UInt64.self)
        && one.loadUnaligned(fromByteOffset: last, as: UInt64.self)
          == other.loadUnaligned(fromByteOffset: last, as: UInt64.self)
    }
    return memcmp(one, other, text.n) == 0
  }

  private static func change(
    _ shape: UnsafeMutablePointer<EnvironShape>, _ index: Int, _ text: nsgi_str
  ) -> Bool {
    guard let value = py_text(text.p, text.n) else { return false }
    let pair = shape.pointee.pairs.baseAddress! + index
    guard PyDict_SetItem(shape.pointee.dict, pair.pointee.name, value) == 0 else { return false }
    py_release(value)
    pair.pointee.value = value
    pair.pointee.valueBytes = bytes(value)
    return true
  }

  private static func bytes(_ text: Object) -> UnsafeRawBufferPointer {
    var count = 0
    let start = py_latin1(text, &count)
    return UnsafeRawBufferPointer(start: start, count: count)
  }

  // MARK: A shape that was not there

  private func rebuild(
    _ shape: UnsafeMutablePointer<EnvironShape>, _ signature: UInt, _ list: UnsafePointer<nsgi_pair>,
    _ count: Int, _ isTLS: Bool
  ) -> Object? {
    clear(shape)
    guard let dict = PyDict_New() else { return nil }
    shape.pointee.dict = dict
    guard addFacts(to: dict, isTLS) else { return nil }
    let pairs = UnsafeMutableBufferPointer<KeptPair>.allocate(capacity: count)
    var made = 0
    for index in 0..<count {
      var name = py_text(list[index].name.p, list[index].name.n)
      guard name != nil, let value = py_text(list[index].value.p, list[index].value.n) else { break }
      PyUnicode_InternInPlace(&name)
      guard let name, PyDict_SetItem(dict, name, value) == 0 else { break }
      // The dict holds both from here on.
      py_release(name)
      py_release(value)
      pairs.initializeElement(
        at: index,
        to: KeptPair(
          name: name, nameBytes: Self.bytes(name), value: value, valueBytes: Self.bytes(value)))
      made += 1
    }
    guard made == count else {
      pairs.deallocate()
      clear(shape)
      return nil
    }
    shape.pointee.pairs = pairs
    shape.pointee.signature = signature
    return PyDict_Copy(dict)
  }

  private func addFacts(to dict: Object, _ isTLS: Bool) -> Bool {
    func flag(_ value: Bool) -> Object { value ? py_true() : py_false() }
    let version = PyUnicode_FromString(facts.version)
    defer { py_release_if(version) }
    let list: [(StaticString, Object?)] = [
      ("wsgi.version", Names.version), ("wsgi.url_scheme", isTLS ? Names.https : Names.http),
      ("wsgi.input", Types.emptyInput), ("wsgi.errors", Names.errors),
      ("wsgi.multithread", flag(facts.isMultithread)), ("wsgi.multiprocess", flag(facts.isMultiprocess)),
      ("wsgi.run_once", flag(facts.runsOnce)), ("wsgi.file_wrapper", Names.fileWrapper),
      ("wsgi.input_terminated", py_true()), ("nsgi.version", version),
    ]
    return list.allSatisfy { name, value in
      let text = UnsafeRawPointer(name.utf8Start).assumingMemoryBound(to: CChar.self)
      guard let value, let key = PyUnicode_InternFromString(text) else { return false }
      defer { py_release(key) }
      return PyDict_SetItem(dict, key, value) == 0
    }
  }

  private func clear(_ shape: UnsafeMutablePointer<EnvironShape>) {
    py_release_if(shape.pointee.dict)
    shape.pointee.pairs.deallocate()
    shape.pointee = EnvironShape()
  }

  /// Gives all templates back.
  func removeAll() {
    for index in 0..<Self.capacity { clear(shapes + index) }
  }
}
