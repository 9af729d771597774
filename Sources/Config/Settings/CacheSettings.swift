/// A cache that the workers share (uWSGI's cache2), in memory that the master makes.
public struct CacheSettings: Sendable, Equatable {
  /// Its name for applications.
  public var name: String
  /// The most entries.
  public var items: Int
  /// The most bytes of a value.
  public var valueBytes: Int
  /// The most bytes of a key.
  public var keyBytes: Int
  /// When it is full, the least recently used entry makes room.
  public var evicts = false

  /// A cache. Precedents: uWSGI's blocks of 64 KiB and keys of 2048 bytes.
  public init(name: String = "default", items: Int, valueBytes: Int = 65536, keyBytes: Int = 2048) {
    (self.name, self.items, self.valueBytes, self.keyBytes) = (name, items, valueBytes, keyBytes)
  }

  /// Bytes of memory, in whole pages: a head, and for each item a bucket, an entry, its key and its value
  /// (Plugins/python3/uwsgi/cache.py).
  public var bytes: Int { (64 + items * (4 + 48 + keyBytes + valueBytes) + 4095) & ~4095 }

  /// The most bytes of all caches together: they take memory once they are used.
  static let mostBytes = 64 << 30
}

/// What the workers share.
public struct SharedSettings: Sendable, Equatable {
  public var caches: [CacheSettings] = []
  /// Python applications may import the module `uwsgi`.
  public var offersModule = false
  /// What `uwsgi.opt` has besides the options in effect: NAME, or NAME=VALUE.
  public var options: [String] = []
  /// The options in effect, for the same.
  public var given: [String] = []
  /// Bytes of a value of the cache that `--cache N` makes.
  var plainBytes = 65536

  /// Nothing shared.
  public init() {}

  /// Whether both have the same effect, whatever options gave it.
  public static func == (one: SharedSettings, other: SharedSettings) -> Bool {
    one.caches == other.caches && one.options == other.options && one.offersModule == other.offersModule
  }

  /// A cache or a value for `uwsgi.opt` is of no use without the module.
  mutating func finish() {
    if !caches.isEmpty || !options.isEmpty { offersModule = true }
  }

  /// Bytes of all caches.
  public var cacheBytes: Int { caches.reduce(0) { $0 + $1.bytes } }

  /// The caches for the runtime that reads them, in memory whose first bytes belong to something else: where
  /// each begins, its bytes, items, bytes of values and of keys, whether it evicts, its name.
  public func lines(behind first: Int) -> [String] {
    var place = first
    return caches.map { cache in
      defer { place += cache.bytes }
      let numbers = [place, cache.bytes, cache.items, cache.valueBytes, cache.keyBytes, cache.evicts ? 1 : 0]
      return numbers.map { "\($0)" }.joined(separator: " ") + " " + cache.name
    }
  }
}
