import CYaml

/// A YAML file by the events of libyaml, so that a key may come twice, as uWSGI takes it, and each has its
/// line. JSON is YAML, once it has been seen to be JSON.
struct YAMLFile {
  private var parser = yaml_parser_t()
  private var records: [Record] = []
  /// The value of a key that has none.
  private var nothing: String?

  /// Names that lead to a value at most.
  private static let depthMaximum = 64

  /// One event, apart from the memory of the parser.
  private enum Event {
    case start, end, mapping, mappingEnd, list, listEnd
    case scalar(String, isPlain: Bool)
  }

  /// - Parameter nothing: the value of a key that has none.
  static func records(of bytes: [UInt8], nothing: String? = nil) throws(Malformed) -> [Record] {
    try reading(bytes) { (file) throws(Malformed) in
      file.nothing = nothing
      try file.read()
    }
  }

  private static func reading(
    _ bytes: [UInt8], _ body: (inout YAMLFile) throws(Malformed) -> Void
  ) throws(Malformed) -> [Record] {
    var file = YAMLFile()
    guard yaml_parser_initialize(&file.parser) == 1 else { throw Malformed(line: 1, "out of memory") }
    defer { yaml_parser_delete(&file.parser) }
    let input = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: max(1, bytes.count))
    defer { input.deallocate() }
    _ = input.initialize(from: bytes)
    yaml_parser_set_input_string(&file.parser, input.baseAddress, bytes.count)
    try body(&file)
    return file.records
  }

  /// Every value by the names that lead to it, with line ends between them; an element of a list has its
  /// number.
  static func paths(of bytes: [UInt8]) throws(Malformed) -> [Record] {
    try reading(bytes) { (file) throws(Malformed) in
      while true {
        let (event, line) = try file.next()
        switch event {
        case .start: continue
        case .end: return
        default: try file.value(event, line, [])
        }
      }
    }
  }

  private mutating func value(_ event: Event, _ line: Int, _ path: [String]) throws(Malformed) {
    if path.count > Self.depthMaximum { throw Malformed(line: line, "it is nested too deeply") }
    switch event {
    case .scalar(let text, _):
      records.append(
        Record(section: "unit", line: line, key: path.joined(separator: "\n"), value: text))
    case .mapping:
      while case (.scalar(let name, _), _) = try next() {
        let (event, line) = try next()
        try value(event, line, path + [name])
      }
    case .list:
      var number = 0
      while true {
        let (event, line) = try next()
        if case .listEnd = event { return }
        try value(event, line, path + ["\(number)"])
        number += 1
      }
    default: throw Malformed(line: line, "a value is missing")
    }
  }

  private mutating func read() throws(Malformed) {
    while true {
      let (event, line) = try next()
      switch event {
      case .start: continue
      case .end: return
      case .mapping: try sections()
      default: throw Malformed(line: line, "write a section and its keys, as in uwsgi:")
      }
    }
  }

  private mutating func sections() throws(Malformed) {
    while true {
      let (event, line) = try next()
      guard case .scalar(let section, _) = event else {
        if case .mappingEnd = event { return }
        throw Malformed(line: line, "a section's name is a word")
      }
      records.append(Record(section: section, line: line, key: "", value: nil))
      switch try next() {
      case (.mapping, _): try keys(of: section)
      case (.list, _): try groups(of: section)
      case (.scalar(let text, _), _) where text.isEmpty || text == "null" || text == "~": continue
      case (_, let line): throw Malformed(line: line, "keys stand below \(section):, each with its value")
      }
    }
  }

  /// The keys of a section that is a list, with some in each element.
  private mutating func groups(of section: String) throws(Malformed) {
    while true {
      switch try next() {
      case (.mapping, _): try keys(of: section)
      case (.listEnd, _): return
      case (_, let line): throw Malformed(line: line, "keys stand below \(section):, each with its value")
      }
    }
  }

  private mutating func keys(of section: String) throws(Malformed) {
    while true {
      let (event, line) = try next()
      guard case .scalar(let key, _) = event else {
        if case .mappingEnd = event { return }
        throw Malformed(line: line, "a key is a word")
      }
      switch try next() {
      case (.scalar(let text, let isPlain), _): add(section, line, key, text, isPlain)
      case (.list, _): try list(section, key)
      case (_, let line): throw Malformed(line: line, "the value of \(key) is a word or a list of words")
      }
    }
  }

  private mutating func list(_ section: String, _ key: String) throws(Malformed) {
    while true {
      switch try next() {
      case (.scalar(let text, let isPlain), let line): add(section, line, key, text, isPlain)
      case (.listEnd, _): return
      case (_, let line): throw Malformed(line: line, "the values of \(key) are words")
      }
    }
  }

  private mutating func add(_ section: String, _ line: Int, _ key: String, _ text: String, _ isPlain: Bool) {
    let isNothing = isPlain && ["", "~", "null"].contains(text)
    records.append(Record(section: section, line: line, key: key, value: isNothing ? nothing : text))
  }

  private mutating func next() throws(Malformed) -> (Event, line: Int) {
    var event = yaml_event_t()
    guard yaml_parser_parse(&parser, &event) == 1 else {
      let problem = parser.problem.map { String(cString: $0) } ?? "it is no YAML"
      throw Malformed(line: Int(parser.problem_mark.line) + 1, problem)
    }
    defer { yaml_event_delete(&event) }
    let line = Int(event.start_mark.line) + 1
    switch event.type {
    case YAML_MAPPING_START_EVENT: return (.mapping, line)
    case YAML_MAPPING_END_EVENT: return (.mappingEnd, line)
    case YAML_SEQUENCE_START_EVENT: return (.list, line)
    case YAML_SEQUENCE_END_EVENT: return (.listEnd, line)
    case YAML_STREAM_END_EVENT: return (.end, line)
    case YAML_ALIAS_EVENT: throw Malformed(line: line, "write the value out in place of the alias")
    case YAML_SCALAR_EVENT:
      let scalar = event.data.scalar
      let text = String(
        decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.length), as: UTF8.self)
      return (.scalar(text, isPlain: scalar.style == YAML_PLAIN_SCALAR_STYLE), line)
    default: return (.start, line)
    }
  }
}
