// environ: a fresh dict for each request, copied from one that is kept for requests of the same shape, in
// which only values that differ from the previous request have to be made again. A dict that comes back
// unchanged, and that nobody else holds, is as good as a fresh one and is reused.
import CNSGI
import CPython
import Glibc

/// What an environ says about the server (PEP 3333, "environ Variables").
struct EnvironFacts {
  let isMultithread, isMultiprocess, runsOnce: Bool
  /// The server's version.
  let version: UnsafePointer<CChar>?
}

/// One variable of a template: its objects, with a reference to each, and their bytes for comparison.
private struct KeptPair {
  let name: Object
  let nameBytes: UnsafeRawBufferPointer
  var value: Object
  var valueBytes: UnsafeRawBufferPointer
}

/// The environ of the last request that had these variables in this order.
private struct EnvironShape {
  var signature: UInt = 0
  var isTLS = false
  var dict: Object?
  var pairs: UnsafeMutableBufferPointer<KeptPair> = .init(start: nil, count: 0)
  /// A dict equal to `dict` that a request has given back unchanged.
  var spare: Object?
  /// Counts changes to `dict`.
  var changes: UInt64 = 0
}

/// Where the dict of a request comes from, and what state it was in.
struct EnvironLoan {
  fileprivate var shape: UnsafeMutablePointer<EnvironShape>?
  fileprivate var changes: UInt64 = 0
  fileprivate var version: UInt64 = 0

  /// The request is over: takes its reference to the dict.
  @inline(__always)
  func end(_ dict: Object) {
    guard version != 0, py_refcount(dict) == 1, py_dict_version(dict) == version, let shape,
      shape.pointee.changes == changes, shape.pointee.spare == nil
    else { return py_release(dict) }
    shape.pointee.spare = dict
  }
}

/// The templates of one application; guarded by the interpreter's lock.
struct EnvironShapes {
  /// A power of two.
  private static let capacity = 64
  private let facts: EnvironFacts
  private let shapes = UnsafeMutablePointer<EnvironShape>.allocate(capacity: EnvironShapes.capacity)
  /// The one of the last request: usually the next one's too.
  private var last: UnsafeMutablePointer<EnvironShape>

  init(_ facts: EnvironFacts) {
    self.facts = facts
    last = shapes
    shapes.initialize(repeating: EnvironShape(), count: Self.capacity)
  }

  /// A dict for the request, with one reference; nil with an exception set.
  @inline(__always)
  mutating func environ(
    _ list: UnsafePointer<nsgi_pair>, _ count: Int, isTLS: Bool, _ loan: inout EnvironLoan
  ) -> Object? {
    let isLast = Self.fits(last, list, count, isTLS)
    guard let shape = isLast ? last : find(list, count, isTLS) else { return nil }
    loan.shape = shape
    loan.changes = shape.pointee.changes
    if let spare = shape.pointee.spare {
      shape.pointee.spare = nil
      loan.version = py_dict_version(spare)
      return spare
    }
    // A new dict may make Python collect garbage, which may let other requests in.
    let template = shape.pointee.dict
    py_retain(template)
    defer { py_release(template) }
    guard let dict = PyDict_Copy(template) else { return nil }
    loan.version = py_dict_version(dict)
    return dict
  }

  /// Whether a template has these variables; if so, it now has the values of the list.
  @inline(__always)
  private static func fits(
    _ shape: UnsafeMutablePointer<EnvironShape>, _ list: UnsafePointer<nsgi_pair>, _ count: Int, _ isTLS: Bool
  ) -> Bool {
    shape.pointee.pairs.count == count && shape.pointee.isTLS == isTLS && refresh(shape, list, count)
  }

  /// The template for these variables, which becomes the last one; nil with an exception set.
  private mutating func find(
    _ list: UnsafePointer<nsgi_pair>, _ count: Int, _ isTLS: Bool
  ) -> UnsafeMutablePointer<EnvironShape>? {
    let signature = Self.signature(list, count, isTLS)
    let shape = shapes + Int(signature & UInt(Self.capacity - 1))
    let isKnown = shape.pointee.signature == signature && Self.fits(shape, list, count, isTLS)
    guard isKnown || rebuild(shape, signature, list, count, isTLS) else { return nil }
    last = shape
    return shape
  }

  /// Checks names by length and last letter: if these differ it is another shape. If not, they are compared.
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

  /// Brings the values of a template up to date; false if it is another shape after all.
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
    // Most are short: comparing two overlapping words does the same as a call. Values shorter than a word are
    // followed by a zero on both sides, which is compared as well.
    if text.n >= 8, text.n <= 16 { return same(one, other, text.n, as: UInt64.self) }
    if text.n >= 3, text.n < 8 { return same(one, other, text.n + 1, as: UInt32.self) }
    if text.n < 3 { return text.n == 0 || same(one, other, text.n + 1, as: UInt16.self) }
    return memcmp(one, other, text.n) == 0
  }

  /// Two words, which may overlap.
  @inline(__always)
  private static func same<Word: FixedWidthInteger & BitwiseCopyable>(
    _ one: UnsafeRawPointer, _ other: UnsafeRawPointer, _ count: Int, as: Word.Type
  ) -> Bool {
    let last = count - MemoryLayout<Word>.size
    return one.loadUnaligned(as: Word.self) == other.loadUnaligned(as: Word.self)
      && one.loadUnaligned(fromByteOffset: last, as: Word.self)
        == other.loadUnaligned(fromByteOffset: last, as: Word.self)
  }

  private static func change(
    _ shape: UnsafeMutablePointer<EnvironShape>, _ index: Int, _ text: nsgi_str
  ) -> Bool {
    guard let value = py_text(text.p, text.n) else { return false }
    let pair = shape.pointee.pairs.baseAddress! + index
    shape.pointee.changes &+= 1
    var isSet = PyDict_SetItem(shape.pointee.dict, pair.pointee.name, value) == 0
    if isSet, let spare = shape.pointee.spare { isSet = PyDict_SetItem(spare, pair.pointee.name, value) == 0 }
    guard isSet else {
      py_release(value)
      return false
    }
    py_release(pair.pointee.value)
    pair.pointee.value = value
    pair.pointee.valueBytes = bytes(value)
    return true
  }

  private static func bytes(_ text: Object) -> UnsafeRawBufferPointer {
    var count = 0
    let start = py_latin1(text, &count)
    return UnsafeRawBufferPointer(start: start, count: count)
  }

  // MARK: A new shape

  private func rebuild(
    _ shape: UnsafeMutablePointer<EnvironShape>, _ signature: UInt, _ list: UnsafePointer<nsgi_pair>,
    _ count: Int, _ isTLS: Bool
  ) -> Bool {
    // Done first, since others may use the shape while a dict is made: see `environ`.
    guard let dict = PyDict_New() else { return false }
    clear(shape)
    shape.pointee.dict = dict
    guard addFacts(to: dict, isTLS) else { return false }
    let pairs = UnsafeMutablePointer<KeptPair>.allocate(capacity: count)
    var made = 0
    while made < count, let pair = Self.pair(list[made], in: dict) {
      (pairs + made).initialize(to: pair)
      made += 1
    }
    shape.pointee.pairs = UnsafeMutableBufferPointer(start: pairs, count: made)
    guard made == count else {
      clear(shape)
      return false
    }
    (shape.pointee.signature, shape.pointee.isTLS) = (signature, isTLS)
    return true
  }

  /// Clients make up names of header fields.
  private static func staysBounded(_ name: nsgi_str) -> Bool {
    !py_keeps_interned() || !UnsafeRawBufferPointer(start: name.p, count: name.n).starts(with: "HTTP_".utf8)
  }

  /// A variable that has been put into a dict; nil with an exception set.
  private static func pair(_ variable: nsgi_pair, in dict: Object) -> KeptPair? {
    var name = py_text(variable.name.p, variable.name.n)
    guard name != nil else { return nil }
    if staysBounded(variable.name) { PyUnicode_InternInPlace(&name) }
    guard let name else { return nil }
    guard let value = py_text(variable.value.p, variable.value.n) else {
      py_release(name)
      return nil
    }
    guard PyDict_SetItem(dict, name, value) == 0 else {
      py_release(name)
      py_release(value)
      return nil
    }
    return KeptPair(name: name, nameBytes: bytes(name), value: value, valueBytes: bytes(value))
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
    py_release_if(shape.pointee.spare)
    for pair in shape.pointee.pairs {
      py_release(pair.name)
      py_release(pair.value)
    }
    shape.pointee.pairs.deallocate()
    // Lent dicts have the old contents.
    let changes = shape.pointee.changes &+ 1
    shape.pointee = EnvironShape()
    shape.pointee.changes = changes
  }

  /// Releases all templates.
  func removeAll() {
    for index in 0..<Self.capacity { clear(shapes + index) }
  }
}
