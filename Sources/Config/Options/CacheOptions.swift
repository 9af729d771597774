// What workers share: uWSGI's caches, and what `uwsgi.opt` says.

let cacheOptions = OptionGroup(
  title: "Shared between workers (the module uwsgi of Python applications)",
  options: [
    OptionSpec(
      "uwsgi-module",
      "Python applications may import uwsgi and uwsgidecorators; on where a file has uWSGI's words",
      .flag { $0.settings.shared.offersModule = $1 }),
    OptionSpec(
      "cache2", repeats: true,
      "keep a cache: name=NAME,items=N with blocksize=BYTES, keysize=BYTES and purge_lru=1 if need be",
      .value(placeholder: "KEY=VALUE,…") { (draft, text) throws(ValueError) in
        try draft.addCache(text)
      }),
    OptionSpec(
      "cache", "keep a cache called default with so many items",
      .value(placeholder: "N") { (draft, text) throws(ValueError) in
        var cache = CacheSettings(items: try Value.number(text, CacheSettings.itemBounds))
        cache.valueBytes = draft.settings.shared.plainBytes
        try draft.add(cache, text)
      }),
    OptionSpec(
      "cache-blocksize", default: "64k", "bytes of a value of the cache that --cache makes",
      .value(placeholder: "BYTES") { (draft, text) throws(ValueError) in
        let bytes = Int(try Value.bytes(text, CacheSettings.valueBounds))
        draft.settings.shared.plainBytes = bytes
        for index in draft.settings.shared.caches.indices
        where draft.settings.shared.caches[index].name == "default" {
          draft.settings.shared.caches[index].valueBytes = bytes
        }
      }),
    OptionSpec(
      "uwsgi-opt", repeats: true, "what uwsgi.opt has besides the options in effect",
      .value(placeholder: "NAME[=VALUE]") { (draft, text) throws(ValueError) in
        draft.settings.shared.options.append(try Value.text(text, example: "site=shop"))
      }),
  ])

extension CacheSettings {
  static let itemBounds = 1...(1 << 24)
  static let valueBounds: ClosedRange<Int64> = 8...(64 << 20)
  static let keyBounds = 1...65535

  /// Keys of uWSGI's that change nothing here, and those that lose something.
  private static let accepted: Set<String> = [
    "blocks", "hash", "hash_size", "hashsize", "lastmod", "bitmap", "bitmap_blocks", "sweep_on_full",
    "ignore_full", "math_initial", "use_blocks_bitmap",
  ]
  private static let lost: Set<String> = [
    "store", "store_sync", "storesync", "store_delete", "udp", "udp_servers", "nodes", "udp_node", "sync",
    "clear_on_full",
  ]

  /// The parts of a cache2 value that have no effect.
  typealias Lost = [String]

  /// Reads `name=pages,items=100,blocksize=4096`.
  static func parse(_ text: String) throws(ValueError) -> (CacheSettings, Lost) {
    var cache = CacheSettings(items: 0)
    var lost: Lost = []
    for part in text.split(separator: ",") {
      let (key, value) = part.cut(at: Ascii.equals).map { ($0.0.trimmed, $0.1.trimmed) } ?? (part.trimmed, "")
      let word = String(value)
      switch String(key) {
      case "name": cache.name = try Value.text(word, example: shape)
      case "items", "maxitems", "max_items": cache.items = try Value.number(word, itemBounds)
      case "blocksize": cache.valueBytes = Int(try Value.bytes(word, valueBounds))
      case "keysize": cache.keyBytes = try Value.number(word, keyBounds)
      case "purge_lru", "lru": cache.evicts = !["0", "false", "no", "off"].contains(word)
      case let key where accepted.contains(key): continue
      case let key where Self.lost.contains(key): lost.append(key)
      case let key:
        throw .unknownWord(key, known: ["name", "items", "blocksize", "keysize", "purge_lru"])
      }
    }
    guard cache.items > 0 else { throw .empty(example: shape) }
    return (cache, lost)
  }

  private static let shape = "cache2 = name=pages,items=1000,blocksize=4096"
}

extension Draft {
  /// Adds a value of cache2.
  fileprivate mutating func addCache(_ text: String) throws(ValueError) {
    let (cache, lost) = try CacheSettings.parse(text)
    try add(cache, text)
    guard !lost.isEmpty else { return }
    settings.warnings.append(
      "the cache \(cache.name) is in the memory of this server alone, and empty at each start: "
        + "\(lost.joined(separator: ", ")) has no effect")
  }

  /// Adds a cache whose name no other has.
  fileprivate mutating func add(_ cache: CacheSettings, _ text: String) throws(ValueError) {
    guard !settings.shared.caches.contains(where: { $0.name == cache.name }) else {
      throw .rule(text, problem: "is a second cache called \(cache.name)", fix: "write name=OTHER in it")
    }
    guard cache.bytes <= CacheSettings.mostBytes - settings.shared.cacheBytes else {
      throw .rule(
        text, problem: "makes the caches greater than 64 GiB together",
        fix: "choose fewer items, or a "
          + "smaller blocksize")
    }
    settings.shared.caches.append(cache)
  }
}
