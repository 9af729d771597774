/// The static table of HPACK (RFC 7541 appendix A), and which of its names answers use.
enum HPACKStaticTable {
  /// An entry: its name, and after that its value.
  struct Entry {
    let name: UnsafeRawBufferPointer
    let value: UnsafeRawBufferPointer
  }

  /// How many entries there are; the dynamic table's follow.
  static let count = 61

  /// The entries, the first one at 0. Made once, and never freed.
  nonisolated(unsafe) static let entries: UnsafePointer<Entry> = {
    let table = UnsafeMutablePointer<Entry>.allocate(capacity: count)
    let text = UnsafeRawBufferPointer(start: list.utf8Start, count: list.utf8CodeUnitCount)
    for (place, line) in text.split(separator: UInt8(ascii: "\n")).enumerated() {
      let end = line.firstIndex(of: UInt8(ascii: " ")) ?? line.endIndex
      let value = line[end...].dropFirst()
      (table + place).initialize(
        to: Entry(name: .init(rebasing: line[..<end]), value: .init(rebasing: value)))
    }
    return UnsafePointer(table)
  }()

  /// One line each: the name and, after a space, the value if there is one.
  private static let list: StaticString = """
    :authority
    :method GET
    :method POST
    :path /
    :path /index.html
    :scheme http
    :scheme https
    :status 200
    :status 204
    :status 206
    :status 304
    :status 400
    :status 404
    :status 500
    accept-charset
    accept-encoding gzip, deflate
    accept-language
    accept-ranges
    accept
    access-control-allow-origin
    age
    allow
    authorization
    cache-control
    content-disposition
    content-encoding
    content-language
    content-length
    content-location
    content-range
    content-type
    cookie
    date
    etag
    expect
    expires
    from
    host
    if-match
    if-modified-since
    if-none-match
    if-range
    if-unmodified-since
    last-modified
    link
    location
    max-forwards
    proxy-authenticate
    proxy-authorization
    range
    referer
    refresh
    retry-after
    server
    set-cookie
    strict-transport-security
    transfer-encoding
    user-agent
    vary
    via
    www-authenticate
    """
}
