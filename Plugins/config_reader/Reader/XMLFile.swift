import CExpat

/// An XML file: `<uwsgi>` elements, whose `id` names the section, with an element for each key. An element
/// `<app mountpoint="/path">` holds what is mounted there, in an element of any name.
final class XMLFile {
  private let parser: XML_Parser
  private var records: [Record] = []
  private var section: String?
  private var key: (name: String, line: Int, text: String)?
  /// The mount point of an `<app>` that is open, and how many elements of it have begun and are open.
  private var mount: String?
  private var parts = (begun: 0, open: 0)
  private var failure: Malformed?

  static func records(of bytes: [UInt8]) throws(Malformed) -> [Record] {
    guard let parser = XML_ParserCreate(nil) else { throw Malformed(line: 1, "out of memory") }
    defer { XML_ParserFree(parser) }
    return try XMLFile(parser).read(bytes)
  }

  private init(_ parser: XML_Parser) { self.parser = parser }

  private func read(_ bytes: [UInt8]) throws(Malformed) -> [Record] {
    XML_SetUserData(parser, Unmanaged.passUnretained(self).toOpaque())
    XML_SetElementHandler(
      parser, { XMLFile.of($0).start(XMLFile.text($1), $2) }, { file, _ in XMLFile.of(file).end() })
    XML_SetCharacterDataHandler(parser) { file, bytes, count in
      XMLFile.of(file).characters(UnsafeRawBufferPointer(start: bytes, count: Int(count)))
    }
    // Entities could be written to grow without bound, and those of other files are not read.
    XML_SetEntityDeclHandler(parser) { file, _, _, _, _, _, _, _, _ in XMLFile.of(file).refuseEntity() }
    XML_SetSkippedEntityHandler(parser) { file, _, _ in XMLFile.of(file).refuseEntity() }
    let status = bytes.withUnsafeBytes {
      XML_Parse(parser, $0.baseAddress?.assumingMemoryBound(to: CChar.self), Int32($0.count), 1)
    }
    if let failure { throw failure }
    guard status == XML_STATUS_OK else { throw Malformed(line: line, Self.reason(XML_GetErrorCode(parser))) }
    return records
  }

  /// What an operator can do something about.
  private static func reason(_ error: XML_Error) -> String {
    switch error {
    case XML_ERROR_UNKNOWN_ENCODING, XML_ERROR_INCORRECT_ENCODING:
      "its encoding is not known here, or not the one that it names; save it in UTF-8"
    case XML_ERROR_INVALID_TOKEN: "this is no XML in the encoding that it names; save it in UTF-8"
    case XML_ERROR_NO_ELEMENTS: "no element is in it; write <uwsgi> with an element for each key"
    case XML_ERROR_TAG_MISMATCH: "an element ends that is not the one last begun; close each by its own name"
    default: "it is no XML that is well-formed; correct what stands there"
    }
  }

  private var line: Int { max(1, Int(XML_GetCurrentLineNumber(parser))) }

  private static func of(_ file: UnsafeMutableRawPointer?) -> XMLFile {
    Unmanaged<XMLFile>.fromOpaque(file!).takeUnretainedValue()
  }

  private static func text(_ text: UnsafePointer<CChar>?) -> String { text.map { String(cString: $0) } ?? "" }

  private func start(_ name: String, _ attributes: UnsafeMutablePointer<UnsafePointer<CChar>?>?) {
    if key != nil {
      guard mount != nil else { return fail("an element of a key has no elements in it") }
      guard parts.begun == 0 else { return fail("an <app> has one element in it; write callable beside it") }
      parts = (1, 1)
    } else if section != nil {
      key = (name, line, "")
      mount = name == "app" ? Self.value(of: "mountpoint", attributes) : nil
      parts = (0, 0)
    } else if name == "uwsgi" || name == "server" {
      section = Self.value(of: "id", attributes) ?? name
      records.append(Record(section: section!, line: line, key: "", value: nil))
    }
  }

  /// The value of an attribute among names and values.
  private static func value(
    of wanted: String, _ attributes: UnsafeMutablePointer<UnsafePointer<CChar>?>?
  ) -> String? {
    var at = 0
    while let attributes, let name = attributes[at] {
      if text(name) == wanted { return text(attributes[at + 1]) }
      at += 2
    }
    return nil
  }

  private func characters(_ bytes: UnsafeRawBufferPointer) {
    key?.text += String(decoding: bytes, as: UTF8.self)
  }

  private func end() {
    guard let section else { return }
    if parts.open > 0 {
      parts.open = 0
      return
    }
    guard let key else {
      self.section = nil
      return
    }
    let text = Self.trimmed(key.text)
    let value = mount.map { "\($0)=\(text)" } ?? (text.isEmpty ? nil : text)
    let name = mount == nil ? key.name : "mount"
    records.append(Record(section: section, line: key.line, key: name, value: value))
    self.key = nil
    mount = nil
  }

  private static func trimmed(_ text: String) -> String {
    let from = text.drop(while: \.isWhitespace)
    let end = from.lastIndex { !$0.isWhitespace }
    return end.map { String(from[...$0]) } ?? ""
  }

  private func refuseEntity() { fail("a configuration has no entities of its own; write the text out") }

  private func fail(_ sentence: String) {
    failure = failure ?? Malformed(line: line, sentence)
    XML_StopParser(parser, XML_Bool(XML_FALSE))
  }
}
