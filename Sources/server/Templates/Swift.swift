/// A new application in Swift: a package with a dynamic library, and the kit as a package inside of it.
extension Template {
  static func swift(_ name: String) -> Template {
    Template(
      language: "Swift",
      files: [
        ("Package.swift", swiftPackage(name)),
        ("Sources/\(name)/\(name).swift", swiftSource(name)),
        ("Makefile", swiftMakefile(name)),
        ("README.md", swiftReadme(name)),
        (".gitignore", ".build\n*.so\n*.new\n"),
        ("nsgi/Package.swift", kitPackage),
      ],
      copies: [("Sources/NSGI", "nsgi/Sources/NSGI"), ("Sources/CNSGI", "nsgi/Sources/CNSGI")])
  }

  private static func swiftPackage(_ name: String) -> String {
    """
    // swift-tools-version: 6.2
    import PackageDescription

    let package = Package(
      name: "\(name)",
      products: [.library(name: "\(name)", type: .dynamic, targets: ["\(name)"])],
      dependencies: [.package(path: "nsgi")],
      targets: [.target(name: "\(name)", dependencies: [.product(name: "NSGI", package: "nsgi")])]
    )

    """
  }

  /// The kit: what nsgi-server's own package calls NSGI and CNSGI.
  private static let kitPackage = """
    // swift-tools-version: 6.2
    // The kit of nsgi-server for applications in Swift, as it was when this application was made.
    import PackageDescription

    let package = Package(
      name: "nsgi",
      products: [.library(name: "NSGI", targets: ["NSGI"])],
      targets: [.target(name: "CNSGI"), .target(name: "NSGI", dependencies: ["CNSGI"])]
    )

    """

  private static func swiftSource(_ name: String) -> String {
    """
    // \(name): an application for nsgi-server.
    import NSGI

    /// Made once in each worker process; being a ConcurrentApp, it answers on several threads at once.
    struct Application: ConcurrentApp {
      static let name = "\(name)"
      static let version = "0.1.0"

      init(_ boot: Boot) throws {}

      func respond(to request: borrowing Request) throws -> Response {
        guard request.path == "/" else { throw Abort(404, "There is nothing here.\\n") }
        return .text("Hello World!\\n")
      }
    }

    @c(nsgi_entry) public func entry(_ host: HostTable?) -> AppTable? { Application.entry(host) }

    """
  }

  private static func swiftMakefile(_ name: String) -> String {
    """
    .PHONY: all clean
    # SwiftPM knows what has changed. Copied beside and moved over: a server that looks at the file meanwhile
    # finds a whole one.
    all:
    \tswift build -c release
    \tcp .build/release/lib\(name).so \(name).so.new
    \tmv \(name).so.new \(name).so

    clean:
    \trm -rf .build \(name).so \(name).so.new

    \(checkVerb(library: "./\(name).so"))
    """
  }

  private static func swiftReadme(_ name: String) -> String {
    """
    # \(name)

    An application for nsgi-server in Swift: a type that is an `App`, made once in each worker process, whose
    `respond` answers a request. The package in `nsgi` is the kit that it is written with; its comments are
    the manual.

    \(recipe(library: "./\(name).so"))
    """
  }
}
