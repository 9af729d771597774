import Testing

@testable import Config

@Suite struct AppTests {
  static let good: [(String, AppSettings)] = [
    ("a.so", AppSettings(path: "a.so")),
    ("/srv/a.so", AppSettings(path: "/srv/a.so")),
    ("a.so:entry_2", AppSettings(path: "a.so", symbol: "entry_2")),
    ("/blog=b.so", AppSettings(mount: "/blog", path: "b.so")),
    ("/blog/=/srv/b.so:_x", AppSettings(mount: "/blog", path: "/srv/b.so", symbol: "_x")),
    ("/a/b=c.so", AppSettings(mount: "/a/b", path: "c.so")),
    ("/=/srv/a=b.so", AppSettings(path: "/srv/a=b.so")),
    ("a=b.so", AppSettings(path: "a=b.so")),
    ("/srv:1/a.so", AppSettings(path: "/srv:1/a.so")),
    ("/srv/a:b.so:", AppSettings(path: "/srv/a:b.so")),
    ("/=/srv/x=1/a:b:", AppSettings(path: "/srv/x=1/a:b")),
    ("/=/srv/x=1/a:b:c", AppSettings(path: "/srv/x=1/a:b", symbol: "c")),
  ]

  @Test(arguments: good.indices) func isRead(_ row: Int) throws {
    #expect(try AppSettings(parsing: Self.good[row].0) == Self.good[row].1)
  }

  /// Files that are there, what is written, and how it is read.
  static let there: [(file: String, text: String, app: AppSettings)] = [
    ("/srv/x=1/a.so", "/srv/x=1/a.so", AppSettings(path: "/srv/x=1/a.so")),
    ("/srv/x=1/a.so", "/srv/x=1/a.so:s", AppSettings(path: "/srv/x=1/a.so", symbol: "s")),
    ("/srv/x=1/a.so", "/m=/srv/x=1/a.so", AppSettings(mount: "/m", path: "/srv/x=1/a.so")),
    ("a:b", "a:b", AppSettings(path: "a:b")),
    ("a:b", "/m=a:b", AppSettings(mount: "/m", path: "a:b")),
    ("a:b", "/m=a:b:c", AppSettings(mount: "/m", path: "a:b", symbol: "c")),
    ("a", "a:b", AppSettings(path: "a", symbol: "b")),
  ]

  @Test("a file that is there is meant by its name, and says so to a process that does not see it")
  func isThere() throws {
    for (file, text, app) in Self.there {
      #expect(try AppSettings(parsing: text) { $0 == file } == app, "\(text)")
      for option in ["--app", "--mount"] where option == "--app" || file.hasSuffix(".so") {
        let effective = try Settings.effectiveArguments(
          arguments: [option, text], environment: [:], isFile: { $0 == file },
          readFile: { _ in throw NoSuchFile() })
        let value = try #require(effective.first?.split(separator: "=", maxSplits: 1).last)
        #expect(try AppSettings(parsing: String(value)) == app, "\(effective)")
      }
    }
  }

  @Test(arguments: [
    ("--app=", "`--app `: the value is empty; write it as in --app ./hello.so"),
    ("--app=/x=", "`--app /x=`: the value is empty; write it as in --app ./hello.so"),
    (
      "--app a.so:",
      "`--app a.so:`: \"\" is not a symbol's name; write PATH:symbol with a C identifier"
    ),
    (
      "--app a.so:2x",
      "`--app a.so:2x`: \"2x\" is not a symbol's name; write PATH:symbol with a C identifier"
    ),
    (
      "--app a:b.so",
      "`--app a:b.so`: there is no file a:b.so, and no symbol stands behind its colon; correct the path, or "
        + "write PATH:symbol with a C identifier"
    ),
    (
      "--app /a//b=x.so",
      "`--app /a//b=x.so`: \"/a//b\" is not a mount point; write it as in /blog=PATH, without "
        + "empty, . or .. parts"
    ),
    (
      "--app /a/..=x.so",
      "`--app /a/..=x.so`: \"/a/..\" is not a mount point; write it as in /blog=PATH, without "
        + "empty, . or .. parts"
    ),
    (
      "--app-option x",
      "`--app-option …`: \"…\" has no key and value; write key=value, or /mount:key=value for one app"
    ),
    (
      "--app-option =x",
      "`--app-option =…`: \"…\" has no key and value; write key=value, or /mount:key=value for one app"
    ),
    (
      "--app a.so --app b.so",
      "a.so and b.so are both mounted at /; give each its own, as in --app /blog=blog.so"
    ),
    (
      "--app /b=a.so --app /b/=b.so",
      "a.so and b.so are both mounted at /b; give each its own, as in --app /blog=blog.so"
    ),
    (
      "--app a.so --app-option /b:k=v",
      "`--app-option` is for /b, and no app is mounted there; write --app /b=PATH, or correct the mount"
    ),
  ])
  func isRefused(_ line: String, _ sentence: String) {
    #expect(complaint(line + " --http-socket :0") == sentence)
  }

  @Test func optionsReachTheirApps() throws {
    let line = "--app-option k=v --app /b=b.so --app-option /b:only=x=y --app-option /:root="
    let apps = try settings(line).apps
    let common = AppOption(key: "k", value: "v")
    #expect(apps.map(\.mount) == ["/b", ""])
    #expect(apps[0].options == [common, AppOption(key: "only", value: "x=y")])
    #expect(apps[1].options == [common, AppOption(key: "root", value: "")])
  }
}
