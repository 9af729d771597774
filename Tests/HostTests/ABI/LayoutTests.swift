// nsgi.h is a promise to libraries that exist already: its layout, and that it compiles wherever they do.
import Foundation
import Support
import Testing

@Suite struct LayoutTests {
  private static let fixtures = "\(Repository.root)/Tests/Fixtures/abi"
  private static let include = "-I\(Repository.root)/Sources/CNSGI/include"

  /// What the compiler makes of the header, one line a member.
  private static func actualLayout() throws -> [String] {
    let folder = try TemporaryFolder()
    let program = folder.file("print_offsets")
    let (built, errors) = try ChildProcess.run(
      try Program.gcc.path(), ["-std=c11", include, "-o", program, "\(fixtures)/print_offsets.c"])
    #expect(built == .status(0), "\(errors)")
    return lines(try ChildProcess.run(program, []).1)
  }

  private static func lines(_ text: String) -> [String] { text.split(separator: "\n").map(String.init) }

  private static func golden(_ name: String) throws -> [String] {
    lines(try Repository.text("Tests/Fixtures/abi/\(name)"))
  }

  @Test func layoutIsThatOfTheCurrentRelease() throws {
    let actual = try Self.actualLayout()
    let golden = try Self.golden("nsgi-1.1.offsets")
    #expect(golden.count >= 77)
    #expect(actual == golden, "a released layout has changed: see Tests/Fixtures/abi/print_offsets.c")
  }

  @Test func everyReleaseKeepsTheOffsetsOfItsForerunners() throws {
    let actual = Set(try Self.actualLayout())
    let releases = Repository.files(under: "Tests/Fixtures/abi", suffixes: [".offsets"])
    #expect(!releases.isEmpty)
    for release in releases {
      for line in Self.lines(try Repository.text(release)) where !line.contains(" size ") {
        #expect(actual.contains(line), "\(release): \(line)")
      }
    }
  }

  @Test func everyMemberIsPinned() throws {
    // The header's own members, counted independently: a declaration ends in a semicolon.
    let header = try Repository.text("Sources/CNSGI/include/nsgi.h")
    let pinned = try Repository.text("Sources/CNSGI/layout.c")
    let printed = try Repository.text("Tests/Fixtures/abi/print_offsets.c")
    let types = header.matches(of: /} (nsgi_\w+);/).map { String($0.output.1) }.filter { $0 != "nsgi_result" }
    #expect(types.count >= 8)
    for type in types {
      #expect(pinned.contains("SIZE(\(type),"), "layout.c lacks the size of \(type)")
      #expect(printed.contains("TYPE(\(type));"), "print_offsets.c lacks \(type)")
    }
    let functions = header.matches(of: /\n  [\w \*]+\(\*(\w+)\)\(/).map { String($0.output.1) }
    #expect(functions.count >= 31)
    for name in functions {
      #expect(pinned.contains(", \(name), "), "layout.c lacks \(name)")
      #expect(printed.contains(", \(name));"), "print_offsets.c lacks \(name)")
    }
  }

  /// clang comes with the Swift toolchain, for both languages and both machines.
  @Test(arguments: [
    ["-x", "c", "-std=c11"], ["-x", "c++", "-std=c++11"], ["-x", "c++", "-std=c++20"],
    ["-x", "c", "-std=c11", "-ffreestanding", "--target=aarch64-linux-gnu"],
    ["-x", "c", "-std=c11", "-ffreestanding", "--target=x86_64-linux-gnu"],
  ])
  func headerCompilesWithoutAWarning(_ options: [String]) throws {
    let folder = try TemporaryFolder()
    let source = try folder.write(Self.user, to: "user")
    try Self.check("/usr/bin/env", ["clang"] + options + [Self.include, "-fsyntax-only", source])
  }

  @Test func headerCompilesWithGCC() throws {
    let folder = try TemporaryFolder()
    let source = try folder.write(Self.user, to: "user.c")
    try Self.check(try Program.gcc.path(), ["-std=c11", Self.include, "-fsyntax-only", source])
  }

  @Test(arguments: ["x86_64-linux-gnu", "aarch64-linux-gnu"])
  func assertionsHoldOnBothMachines(_ target: String) throws {
    try Self.check(
      "/usr/bin/env",
      [
        "clang", "--target=\(target)", "-std=c11", "-ffreestanding", Self.include, "-fsyntax-only",
        "\(Repository.root)/Sources/CNSGI/layout.c",
      ])
  }

  private static func check(_ compiler: String, _ arguments: [String]) throws {
    let (exit, output) = try ChildProcess.run(
      compiler, arguments + ["-Wall", "-Wextra", "-Wpedantic", "-Werror"])
    #expect(exit == .status(0), "\(output)")
    #expect(output.isEmpty, "\(output)")
  }

  /// Uses each macro and both entries, in the part of C that C++ shares.
  private static let user = """
    #include <nsgi.h>
    static int call(void *state, const nsgi_request *request) {
      (void)state;
      return request->size > 0 ? NSGI_OK : NSGI_FAIL;
    }
    static const nsgi_app app = {
      NSGI_APP_HEAD(NSGI_THREADSAFE | NSGI_UNLOADABLE), "x", "1", call, 0, 0, 0, 0, 0, 0, 0, 0};
    static const nsgi_pair type = {NSGI_STR("Content-Type"), NSGI_STR("text/plain")};
    const nsgi_app *nsgi_entry(const nsgi_host *host) {
      if (NSGI_HAS(host, sendfile) && NSGI_HAS(host, server)) host->respond(1, 200, &type, 1, "", 0);
      return &app;
    }
    int application(const nsgi_environ *environ, nsgi_start_response start_response) {
      static const char *const headers[] = {"Content-Type", "text/plain", NULL};
      size_t n;
      environ->vars(&n);
      return start_response("200 OK", headers)("Hello World!\\n", 13);
    }

    """
}
