// Caches, titles, pipes, and what `uwsgi.opt` has.
import Testing

@testable import Config

@Suite struct SharedOptionTests {
  private func read(_ words: String...) throws -> Settings { try served(try invoke(words)) }

  private func refused(_ words: String...) -> String {
    do { _ = try invoke(words) } catch { return error.description }
    return ""
  }

  @Test("a cache has a size, and room for all it may hold")
  func caches() throws {
    let shared = try read(
      "--app", "a.so", "--cache2", "name=pages, items=100,blocksize=4k,keysize=64", "--cache2",
      "name=lru,max_items=10,blocksize=64,purge_lru=1,bitmap=1", "--cache", "7", "--cache-blocksize", "128",
      "--http-socket", ":1"
    ).shared
    #expect(shared.caches.map(\.name) == ["pages", "lru", "default"])
    #expect(shared.caches.map(\.items) == [100, 10, 7])
    #expect(shared.caches.map(\.valueBytes) == [4096, 64, 128])
    #expect(
      shared.caches.map(\.keyBytes) == [64, 2048, 2048]
        && shared.caches.map(\.evicts) == [false, true, false])
    #expect(shared.offersModule)
    #expect(shared.caches.allSatisfy { $0.bytes % 4096 == 0 })
    let lines = shared.lines(behind: 8192)
    #expect(lines[0] == "8192 \(shared.caches[0].bytes) 100 4096 64 0 pages")
    #expect(lines[1].hasPrefix("\(8192 + shared.caches[0].bytes) "))
    #expect(shared.cacheBytes == shared.caches.reduce(0) { $0 + $1.bytes })
  }

  static let bad: [(value: String, words: String)] = [
    ("name=a", "the value is empty; write it as in cache2 = name=pages,items=1000"),
    ("items=0", "0 is not between 1 and"), ("items=-1", "is not a number"),
    ("items=99999999999999999999", "is not between"), ("items=1,colour=red", "\"colour\" is not known"),
    ("items=16777216,blocksize=64m", "greater than 64 GiB together"),
    ("items=1,blocksize=1", "is not between"),
    ("items=1,keysize=70000", "is not between"), ("items", "is not a number"),
  ]

  @Test("what cannot be a cache is refused with a sentence", arguments: bad.indices)
  func badCaches(_ row: Int) {
    let (value, words) = Self.bad[row]
    let sentence = refused("--app", "a.so", "--cache2", value, "--http-socket", ":1")
    #expect(sentence.contains(words) && sentence.contains("cache2"), "\(sentence)")
  }

  @Test("two caches have two names, and what is kept nowhere is told")
  func cachesTogether() throws {
    let twice = refused(
      "--app", "a.so", "--cache2", "items=1", "--cache", "5", "--http-socket", ":1")
    #expect(twice.contains("is a second cache called default"), "\(twice)")
    let lost = try read(
      "--app", "a.so", "--cache2", "name=a,items=1,store=/var/a.cache,nodes=10.0.0.1:9", "--http-socket", ":1"
    )
    #expect(lost.warnings.contains { $0.contains("empty at each start: store, nodes has no effect") })
  }

  @Test("options in effect are what uwsgi.opt has, and a file's own keys with them")
  func given() throws {
    let text =
      "[uwsgi]\nmodule = m\nhttp = :1\nsite = shop\nvacuum = true\nprocesses = 3\nflag\nx = %(site)\n"
    let settings = try served(try invoke(["--ini", "a.ini", "--set", "later=1"], files: ["a.ini": text]))
    #expect(settings.shared.offersModule)
    for word in ["module=m", "http-socket=:1", "processes=3", "threads=1"] {
      #expect(settings.shared.given.contains(word), "\(settings.shared.given)")
    }
    for word in ["site=shop", "vacuum=true", "flag", "x=shop"] {
      #expect(settings.shared.options.contains(word), "\(settings.shared.options)")
    }
    let arguments = try Settings.effectiveArguments(
      arguments: ["--ini", "a.ini"], environment: [:], readFile: { _ in text })
    let again = try served(try invoke(arguments))
    #expect(again.shared.options == settings.shared.options && again.shared.offersModule)
  }

  @Test("in our own words nobody is told of uWSGI")
  func own() throws {
    #expect(try !read("--module", "m", "--http-socket", ":1").shared.offersModule)
  }

  @Test("titles")
  func titles() throws {
    let title = try read(
      "--app", "a.so", "--http-socket", ":1", "--procname-prefix-spaced", "shop", "--procname-append", "!"
    ).process.title
    #expect(title.text(.master) == "shop uWSGI master!" && title.text(.worker(1)) == "shop uWSGI worker 2!")
    #expect(title.text(.helper("trial")) == "shop uWSGI trial!")
    #expect(ProcessTitle().text(.master) == nil && !ProcessTitle().isSet)
    let pipes = try read(
      "--app", "a.so", "--http-socket", ":1", "--master-fifo", "/a", "--master-fifo", "/b")
    #expect(pipes.process.commandPipes == ["/a", "/b"])
  }

  static let formats: [(gunicorn: String, own: String, lost: [String])] = [
    (
      #"%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s""#,
      #"%(addr) - %(user) [%(ltime)] "%(method) %(uri) %(proto)" %(status) %(rsize) "#
        + #""%(referer)" "%(uagent)""#,
      []
    ),
    ("%(m)s %(U)s?%(q)s %(H)s %(B)s", "%(method) %(path)?%(query) %(proto) %(rsize)", []),
    ("%(L)s %(D)s %(M)s %(p)s", "%(secs) %(micros) %(msecs) <%(pid)>", []),
    (
      "%({X-Request-Id}i)s %({content-type}i)s %({SCRIPT_NAME}e)s",
      "%(var.HTTP_X_REQUEST_ID) %(var.CONTENT_TYPE) %(var.SCRIPT_NAME)", []
    ),
    ("100%% %({Server}o)s %(x)s %({}i)s", "100% - - -", ["%({Server}o)s", "%(x)s", "%({}i)s"]),
    ("%%(h)s %%%(h)s 5%% (x)", "%(%)(h)s %%(addr) 5% (x)", []),
    ("%({a)b}i)s %(h)s", "- %(addr)", ["%({a)b}i)s"]),
    ("%(h)s %(", "%(addr) %(", []), ("%", "%", []), ("", "", []),
  ]

  @Test("a format of gunicorn's", arguments: formats.indices)
  func logFormats(_ row: Int) throws {
    let (gunicorn, own, lost) = Self.formats[row]
    let found = GunicornLogFormat.translated(gunicorn)
    #expect(found.format == own && found.lost == lost, "\(found)")
  }

  @Test("gunicorn's format on the command line")
  func gunicorn() throws {
    let found = try read(
      "shop:app", "--access-logfile", "-", "--access-logformat", "%(h)s %({Server}o)s", "-b", ":1")
    #expect(found.log.format?.text == "%(addr) -")
    #expect(found.warnings.contains { $0.contains("there is no %({Server}o)s here") }, "\(found.warnings)")
  }
}
