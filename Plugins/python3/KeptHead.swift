// The fields of a head as the application gave them, checked. They are kept from one response to the next,
// since most have the same objects as the previous one. This memory is only for the application's part: the
// server's additions to a head are in memory of their own (Output.begin), and only this type can write here.
import CNSGI
import CPython
import Glibc

/// Checked fields, with the objects that own their bytes.
struct KeptHead {
  /// Names and values, each with a reference.
  private var texts: UnsafeMutablePointer<Object>?
  /// The same in the server's form.
  private var pairs: UnsafeMutablePointer<nsgi_pair>?
  private var capacity = 0
  /// Fields that are known to be good.
  private var kept = 0
  /// Fields of the last head taken.
  private var count = 0

  /// The head, to be read before the next one is taken.
  @inline(__always)
  var fields: UnsafeBufferPointer<nsgi_pair> { UnsafeBufferPointer(start: pairs, count: count) }

  /// A new one at a fixed address.
  static func make() -> UnsafeMutablePointer<KeptHead> {
    let head = UnsafeMutablePointer<KeptHead>.allocate(capacity: 1)
    head.initialize(to: KeptHead())
    return head
  }

  /// There is no head; its fields stay for the next one.
  @inline(__always)
  mutating func end() { count = 0 }

  /// Releases everything.
  mutating func removeAll() {
    forget(from: 0)
    System.release(texts)
    System.release(pairs)
    (texts, pairs, capacity) = (nil, nil, 0)
  }

  /// Takes the list that start_response was given; false with an exception set. `declared` becomes its
  /// Content-Length, or -1; `dropped` is called with a field that the server sends itself.
  ///
  /// Releasing old objects, and describing bad ones, may run Python: objects being examined are held
  /// meanwhile, and the list may have become another one.
  @inline(__always)
  mutating func take(_ list: Object, _ declared: inout Int64, dropped: (Object) -> Void) -> Bool {
    count = 0
    declared = -1
    var taken = 0
    var index = 0
    while index < py_list_size(list) {
      let item = py_list_item(list, index)!
      index += 1
      guard py_is_tuple(item), py_tuple_size(item) == 2 else {
        _ = raise(py_type_error(), "a header is a tuple of a name and a value, both str")
        return false
      }
      let (name, value) = (py_tuple_item(item, 0)!, py_tuple_item(item, 1)!)
      if taken < kept, texts![taken * 2] == name, texts![taken * 2 + 1] == value {
        if pairs![taken].name.n == Head.lengthName { Head.note(pairs![taken], &declared) }
        taken += 1
        continue
      }
      py_retain(name)
      py_retain(value)
      switch Head.field(name, value, &declared) {
      case .good(let field):
        guard keep(field, name, value, at: taken) else { return false }
        taken += 1
      case .dropped:
        dropped(name)
        Self.release(name, value)
      case .refused:
        Self.release(name, value)
        return false
      }
    }
    count = taken
    return true
  }

  /// A checked field takes its place; it brings its references.
  private mutating func keep(_ field: nsgi_pair, _ name: Object, _ value: Object, at index: Int) -> Bool {
    guard index < capacity || grow() else {
      Self.release(name, value)
      PyErr_NoMemory()
      return false
    }
    forget(from: index)
    pairs![index] = field
    texts![index * 2] = name
    texts![index * 2 + 1] = value
    kept = index + 1
    return true
  }

  /// Releases fields, starting at one.
  private mutating func forget(from first: Int) {
    let end = kept
    guard first < end else { return }
    kept = first
    for index in (first * 2)..<(end * 2) { py_release(texts![index]) }
  }

  private static func release(_ name: Object, _ value: Object) {
    // The exception that tells what is wrong must survive any code that their ends run.
    var (type, error, trace): (Object?, Object?, Object?)
    PyErr_Fetch(&type, &error, &trace)
    py_release(name)
    py_release(value)
    PyErr_Restore(type, error, trace)
  }

  private mutating func grow() -> Bool {
    let room = max(16, capacity * 2)
    guard let moreTexts = realloc(texts, room * 2 * MemoryLayout<Object>.stride) else { return false }
    texts = moreTexts.assumingMemoryBound(to: Object.self)
    guard let morePairs = realloc(pairs, room * MemoryLayout<nsgi_pair>.stride) else { return false }
    pairs = morePairs.assumingMemoryBound(to: nsgi_pair.self)
    capacity = room
    return true
  }
}
