/// The media type of a file by the ending of its name.
public struct MediaTypes: Sendable {
  private var types: [String: String]

  /// The types that the server knows itself. Text is declared as UTF-8.
  public init() {
    types = [:]
    for line in Self.known.split(separator: "\n") { add(line: line) }
  }

  /// Adds what a mime.types file says: `type ending ending …` a line, `#` begins a comment, as do nginx's
  /// `;` ends a line. What is said later counts.
  public mutating func add(file text: String) {
    for line in text.split(whereSeparator: \.isNewline) {
      add(line: line.prefix { $0 != "#" && $0 != ";" })
    }
  }

  private mutating func add(line: Substring) {
    let words = line.split { $0 == " " || $0 == "\t" }
    guard let type = words.first, type.utf8.contains(0x2f), type.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f })
    else { return }
    for ending in words.dropFirst() { types[ending.lowercased()] = String(type) }
  }

  /// The type of a file of this path, without parameters; unknown ones are `application/octet-stream`.
  public func type(of path: String) -> String {
    let name = path.utf8.split(separator: 0x2f).last.map(Substring.init) ?? ""
    guard let dot = name.utf8.lastIndex(of: 0x2e) else { return Self.unknown }
    return types[name[name.utf8.index(after: dot)...].lowercased()] ?? Self.unknown
  }

  /// The value of Content-Type for a type: text gets the charset.
  public static func field(of type: String) -> String {
    type.hasPrefix("text/") ? type + "; charset=utf-8" : type
  }

  private static let unknown = "application/octet-stream"

  private static let known = """
    text/html html htm shtml
    text/css css
    text/plain txt text log conf
    text/csv csv
    text/markdown md
    text/xml xml
    text/calendar ics
    text/vtt vtt
    text/javascript js mjs cjs
    application/json json map
    application/ld+json jsonld
    application/manifest+json webmanifest
    application/wasm wasm
    application/pdf pdf
    application/zip zip
    application/gzip gz
    application/zstd zst
    application/x-tar tar
    application/x-bzip2 bz2
    application/x-xz xz
    application/x-7z-compressed 7z
    application/java-archive jar
    application/rss+xml rss
    application/atom+xml atom
    application/xhtml+xml xhtml
    application/rtf rtf
    application/msword doc
    application/vnd.ms-excel xls
    application/vnd.ms-powerpoint ppt
    application/vnd.ms-fontobject eot
    application/vnd.openxmlformats-officedocument.wordprocessingml.document docx
    application/vnd.openxmlformats-officedocument.spreadsheetml.sheet xlsx
    application/vnd.openxmlformats-officedocument.presentationml.presentation pptx
    application/vnd.oasis.opendocument.text odt
    application/vnd.oasis.opendocument.spreadsheet ods
    application/epub+zip epub
    application/sql sql
    font/woff woff
    font/woff2 woff2
    font/ttf ttf
    font/otf otf
    image/png png
    image/jpeg jpg jpeg
    image/gif gif
    image/webp webp
    image/avif avif
    image/svg+xml svg svgz
    image/x-icon ico
    image/bmp bmp
    image/tiff tif tiff
    audio/mpeg mp3
    audio/ogg ogg oga opus
    audio/wav wav
    audio/mp4 m4a
    audio/flac flac
    audio/aac aac
    video/mp4 mp4 m4v
    video/webm webm
    video/ogg ogv
    video/quicktime mov
    video/mpeg mpeg mpg
    video/x-msvideo avi
    video/mp2t ts
    application/vnd.apple.mpegurl m3u8
    """
}
