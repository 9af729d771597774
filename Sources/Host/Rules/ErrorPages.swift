import Config
import Wire

/// Pages for answers that the server itself gives, in memory from the start.
struct ErrorPages {
  /// One page.
  struct Page {
    let typeField: String
    let content: [UInt8]
  }

  private var pages: [Int: Page] = [:]

  /// Reads the files.
  init(_ settings: Settings) throws(ServerFailure) {
    let types = MediaTypes()
    for page in settings.rules.errorPages {
      guard let content = System.bytes(of: page.path, most: settings.limits.errorPageBytes) else {
        throw ServerFailure(
          "the page \(page.path) cannot be read, or is longer than \(settings.limits.errorPageBytes) bytes; "
            + "correct --error-page")
      }
      let read = Page(typeField: MediaTypes.field(of: types.type(of: page.path)), content: content)
      for status in page.statuses { pages[status] = read }
    }
  }

  private init() {}

  /// No pages.
  static let none = ErrorPages()

  /// The page of a status.
  subscript(status: Int) -> Page? { pages.isEmpty ? nil : pages[status] }
}
