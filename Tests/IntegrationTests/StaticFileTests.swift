// Files that the server serves itself, over every protocol that is spoken on sockets, beside an application:
// what is served, on what conditions, and what is not.
import Foundation
import Support
import Testing

@Suite struct StaticFileTests {
  @Test("files, parts of them and their versions", arguments: GatewayRequest.gateways)
  func files(gateway: String) throws {
    let site = try Site(["--static-map", "/s=SITE/www", "--static-index", "index.html"], gateways: [gateway])
    func ask(_ target: String, _ fields: [(String, String)] = [], _ method: String = "GET") throws -> Reply {
      try site.ask(target, fields, method: method, over: gateway)
    }
    for _ in 0..<2 {
      let css = try ask("/s/a.css")
      #expect(css.status == 200 && css.text == "body { color: red }\n", "\(css)")
      #expect(css["Content-Type"] == "text/css; charset=utf-8" && css["Content-Length"] == "20")
      #expect(css["Last-Modified"] == "Tue, 14 Nov 2023 22:13:20 GMT" && css["Accept-Ranges"] == "bytes")
    }
    let tag = try #require(try ask("/s/ten.txt")["ETag"])
    #expect(tag.hasPrefix("\"") && tag.hasSuffix("\""))
    let large = try ask("/s/large.bin")
    #expect(large.body.count == 300_000 && large.isComplete && large.text.hasSuffix("0123456789"))
    for (fields, status, text, range) in [
      ([("Range", "bytes=2-4")], 206, "234", "bytes 2-4/10"),
      ([("Range", "bytes=-1")], 206, "9", "bytes 9-9/10"),
      ([("Range", "bytes=2-4"), ("If-Range", tag)], 206, "234", "bytes 2-4/10"),
      ([("Range", "bytes=2-4"), ("If-Range", "\"other\"")], 200, "0123456789", nil),
      ([("If-None-Match", tag)], 304, "", nil), ([("If-None-Match", "\"x\"")], 200, "0123456789", nil),
      ([("If-Modified-Since", "Tue, 14 Nov 2023 22:13:20 GMT")], 304, "", nil),
      ([("If-Match", tag)], 200, "0123456789", nil),
    ] as [([(String, String)], Int, String, String?)] {
      let reply = try ask("/s/ten.txt", fields)
      #expect(reply.status == status && reply.text == text, "\(fields): \(reply)")
      #expect(reply["Content-Range"] == range && reply["ETag"] == tag, "\(fields): \(reply)")
    }
    #expect(try ask("/s/ten.txt", [("If-Match", "\"x\"")]).status == 412)
    let none = try ask("/s/ten.txt", [("Range", "bytes=10-")])
    #expect(none.status == 416 && none["Content-Range"] == "bytes */10", "\(none)")
    let middle = try ask("/s/large.bin", [("Range", "bytes=299995-")])
    #expect(
      middle.status == 206 && middle.text == "56789"
        && middle["Content-Range"] == "bytes 299995-299999/300000")
    for target in ["/s/ten.txt", "/s/large.bin", "/s/empty.txt"] {
      let (head, get) = (try ask(target, [], "HEAD"), try ask(target))
      #expect(
        head.status == 200 && head.body.isEmpty && head["Content-Length"] == "\(get.body.count)", "\(head)")
    }
    #expect(try ask("/s/sub/").text == "index")
    let moved = try ask("/s/sub?a=b")
    #expect(moved.status == 301 && moved["Location"] == "/s/sub/?a=b", "\(moved)")
    // The app's: a directory without an index, and what is not there.
    for target in ["/s/bare/", "/s/bare", "/s/none", "/s/a.css/", "/other"] {
      #expect(try ask(target)["ETag"] == nil, "\(target)")
    }
    try site.stop()
  }

  @Test("several parts come with a border between them", arguments: GatewayRequest.gateways)
  func parts(gateway: String) throws {
    let site = try Site(["--static-map", "/s=SITE/www"], gateways: [gateway])
    for (file, size) in [("ten.txt", 10), ("large.bin", 300_000)] {
      let reply = try site.ask("/s/\(file)", [("Range", "bytes=0-1,-2")], over: gateway)
      let type = try #require(reply["Content-Type"])
      let border = try #require(type.components(separatedBy: "boundary=").last)
      #expect(reply.status == 206 && type.hasPrefix("multipart/byteranges; boundary="))
      #expect(reply["Content-Length"] == "\(reply.body.count)" && reply.isComplete)
      let parts = reply.text.components(separatedBy: "\r\n--\(border)")
      #expect(parts.count == 4 && parts[3] == "--\r\n", "\(reply.text)")
      #expect(parts[1].contains("Content-Range: bytes 0-1/\(size)\r\n") && parts[1].hasSuffix("\r\n\r\n01"))
      #expect(parts[2].contains("Content-Range: bytes \(size - 2)-\(size - 1)/\(size)\r\n"))
      #expect(parts[2].hasSuffix("\r\n\r\n89"), "\(reply.text)")
    }
    try site.stop()
  }

  @Test("another method than GET and HEAD is told of them, but not below a checked directory")
  func methods() throws {
    let site = try Site(["--static-map", "/s=SITE/www", "--check-static", "SITE/www"])
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
      let reply = try site.ask("/s/a.css", method: method)
      #expect(reply.status == 405 && reply["Allow"] == "GET, HEAD", "\(method): \(reply)")
      #expect(try site.ask("/ten.txt", method: method).status != 405)
    }
    #expect(try site.ask("/ten.txt").text == "0123456789")
    try site.stop()
  }

  @Test("nothing outside the directory is served, however it is spelt", arguments: GatewayRequest.gateways)
  func escapes(gateway: String) throws {
    let site = try Site(["--static-map", "/s=SITE/www"], gateways: [gateway])
    let www = site.folder.file("www")
    for (link, place) in [
      ("up", ".."), ("out", site.folder.path), ("file", "../secret.txt"), ("chain", "up"), ("loop", "loop"),
      ("etc", "/etc"),
    ] {
      try FileManager.default.createSymbolicLink(atPath: "\(www)/\(link)", withDestinationPath: place)
    }
    #expect(mkfifo(www + "/pipe", 0o666) == 0)
    for target in [
      "/s/../secret.txt", "/s/%2e%2e/secret.txt", "/s/%2e%2e%2fsecret.txt", "/s/.%2e/secret.txt",
      "/s/sub/../../secret.txt",
      "/s//../secret.txt", "/s/..%5csecret.txt", "/s/..\\secret.txt", "/s/%252e%252e/secret.txt",
      "/s/..%c0%afsecret.txt", "/s/up/secret.txt", "/s/out/secret.txt", "/s/file", "/s/chain/secret.txt",
      "/s/loop",
      "/s/etc/passwd", "/s//etc/passwd", "/s/" + site.folder.file("secret.txt"), "/s/./../secret.txt",
      "/s/pipe",
      "/s/up", "/s/..", "/s../secret.txt", "/s/sub%2f..%2f..%2fsecret.txt", "/s/...//secret.txt",
    ] {
      let reply = try site.ask(target, over: gateway)
      #expect(
        !reply.text.contains("secret") && !reply.text.contains("root:") && reply["ETag"] == nil, "\(target)")
    }
    if gateway == "http" { #expect(try site.ask("/s/a.css%00.txt").status == 400) }
    // A file has one path: a rule that guards it sees no other.
    for target in ["//s/a.css", "/s//a.css", "/%2fs/a.css", "/s/%2fa.css", "/s/sub//index.html", "/s//"] {
      #expect(try site.ask(target, over: gateway)["ETag"] == nil, "\(target)")
    }
    // Links that stay below it are followed, however they are written.
    for (link, place) in [("same", "a.css"), ("whole", "\(www)/a.css"), ("round", "sub/../a.css")] {
      try FileManager.default.createSymbolicLink(atPath: "\(www)/\(link)", withDestinationPath: place)
      #expect(try site.ask("/s/\(link)", over: gateway).text.hasPrefix("body"), "\(link)")
    }
    try site.stop()
  }

  @Test("what begins with a dot is the application's, unless the operator names it")
  func hidden() throws {
    let site = try Site([
      "--check-static", "SITE/www", "--static-map", "/s=SITE/www", "--static-map2", "/.open=SITE/www",
      "--static-map", "/env=SITE/www/.env", "--route", "^/r/(.*) static:SITE/www/$1",
    ])
    for folder in [".git", ".well-known", ".open"] { try site.folder.folder("www/" + folder) }
    for name in [".env", ".git/config", ".well-known/security.txt", ".open/f", ".open/.f"] {
      try site.folder.write("text of \(name)", to: "www/" + name)
    }
    for place in ["", "/s", "/r"] {
      for name in [".env", ".git/config", "%2eenv", "sub/../.env", ".git/"] {
        #expect(try !site.ask("\(place)/\(name)").text.contains("text of"), "\(place)/\(name)")
      }
      #expect(try site.ask("\(place)/.well-known/security.txt").text == "text of .well-known/security.txt")
    }
    #expect(try site.ask("/.open/f").text == "text of .open/f")
    #expect(try !site.ask("/.open/.f").text.contains("text of"))
    #expect(try site.ask("/env").text == "text of .env")
    try site.stop()
  }

  @Test("a name may hold any byte but a slash and NUL") func names() throws {
    let site = try Site(["--static-map", "/s=SITE/www"])
    for (name, target) in [("a%62", "a%2562"), ("a?b", "a%3fb"), ("a b#", "a%20b%23"), ("\u{e4}", "%C3%A4")] {
      try site.folder.write(name, to: "www/" + name)
      #expect(try site.ask("/s/" + target).text == name, "\(name)")
    }
    let latin = site.folder.file("www/caf").utf8.map { CChar(bitPattern: $0) } + [CChar(bitPattern: 0xe9), 0]
    let file = open(latin, O_CREAT | O_WRONLY, 0o644)
    try #require(file >= 0 && write(file, "latin", 5) == 5)
    close(file)
    #expect(try site.ask("/s/caf%e9").text == "latin")
    unlink(latin)
    try site.stop()
  }

  @Test("a directory for coded files is one, and no beginning of others")
  func codedBelow() throws {
    let site = try Site(["--static-map", "/s=SITE", "--static-gzip-dir", "SITE/www"])
    try site.folder.folder("www2")
    for name in ["www/b.txt", "www2/b.txt"] {
      try site.folder.write("plain", to: name)
      try site.folder.write("coded", to: name + ".gz")
    }
    let fields = [("Accept-Encoding", "gzip")]
    #expect(try site.ask("/s/www/b.txt", fields).text == "coded")
    #expect(try site.ask("/s/www2/b.txt", fields).text == "plain")
    try site.stop()
  }

  @Test("nothing happens to a pipe that a path names: nobody who writes to it is woken")
  func pipes() throws {
    let site = try Site(["--static-map", "/s=SITE/www", "--static-map", "/p=SITE/www/pipe"])
    let pipe = site.folder.file("www/pipe")
    try #require(mkfifo(pipe, 0o666) == 0)
    try FileManager.default.createSymbolicLink(
      atPath: site.folder.file("www/link"), withDestinationPath: pipe)
    let watch = inotify_init1(Int32(IN_NONBLOCK))
    defer { close(watch) }
    for name in ["www/pipe", "www/ten.txt"] {
      try #require(inotify_add_watch(watch, site.folder.file(name), UInt32(IN_OPEN)) >= 0)
    }
    var event = [UInt8](repeating: 0, count: 4096)
    for target in ["/s/pipe", "/s/link", "/p"] { #expect(try site.ask(target)["ETag"] == nil) }
    let none = read(watch, &event, event.count)
    let reason = errno
    #expect(none == -1 && reason == EAGAIN)
    // What is opened is seen.
    #expect(try site.ask("/s/ten.txt").text == "0123456789")
    let some = read(watch, &event, event.count)
    #expect(some > 0)
    try site.stop()
  }

  @Test("links lead into directories that are said to be safe, and into no others")
  func safe() throws {
    let site = try Site(["--static-map", "/s=SITE/www", "--static-safe", "SITE/shared"])
    try site.folder.folder("shared")
    try site.folder.folder("shared-not")
    try site.folder.write("shared", to: "shared/f")
    try site.folder.write("not shared", to: "shared-not/f")
    let www = site.folder.file("www")
    for name in ["shared", "shared-not"] {
      try FileManager.default.createSymbolicLink(
        atPath: "\(www)/\(name)", withDestinationPath: site.folder.file(name))
    }
    #expect(try site.ask("/s/shared/f").text == "shared")
    #expect(try site.ask("/s/shared-not/f")["ETag"] == nil)
    try site.stop()
  }

  @Test("a file that changes, grows, shrinks or goes is answered as it is then")
  func changes() throws {
    let site = try Site(["--static-map", "/s=SITE/www"])
    let path = site.folder.file("www/ten.txt")
    let first = try #require(try site.ask("/s/ten.txt")["ETag"])
    for text in ["9876543210", "98", "98765432101234"] {
      try site.folder.write(text, to: "www/ten.txt")
      let reply = try site.ask("/s/ten.txt", [("If-None-Match", first)])
      #expect(reply.status == 200 && reply.text == text, "\(reply)")
      // In memory from now on; its age is not what tells versions apart alone.
      try Site.age(path)
      #expect(try site.ask("/s/ten.txt").text == text)
    }
    // On one connection too, where one look at the disk may serve the requests that have come before it.
    let kept = try site.server.connect()
    for text in ["123", "9876543210", "0"] {
      try site.folder.write(text, to: "www/ten.txt")
      try Site.age(path)
      try kept.send(String(repeating: "GET /s/ten.txt HTTP/1.1\r\nHost: x\r\n\r\n", count: 3))
      for _ in 0..<3 { #expect(try kept.receiveReply().text == text) }
    }
    kept.close()
    try FileManager.default.removeItem(atPath: path)
    #expect(try site.ask("/s/ten.txt")["ETag"] == nil)
    try site.folder.write("again", to: "www/ten.txt")
    #expect(try site.ask("/s/ten.txt").text == "again")
    try site.stop()
  }

  @Test("files that the kernel makes while they are read are not served", arguments: GatewayRequest.gateways)
  func kernelsFiles(gateway: String) throws {
    let site = try Site(
      ["--static-map", "/p=/proc/sys/kernel", "--static-map", "/s=/sys/kernel"], gateways: [gateway])
    for target in ["/p/ostype", "/s/uevent_seqnum"] {
      #expect(try site.ask(target, over: gateway)["ETag"] == nil, "\(target)")
    }
    try site.stop()
  }

  @Test("one that has nothing but holes is, however large it is") func holes() throws {
    let site = try Site(["--static-map", "/s=SITE/www"])
    let path = site.folder.file("www/holes")
    _ = FileManager.default.createFile(atPath: path, contents: nil)
    for size in [3, 100_000, 1 << 40] as [off_t] {
      #expect(truncate(path, size) == 0)
      let range = [("Range", "bytes=1-2,0-\(size - 1)")]
      #expect(try site.ask("/s/holes", range, method: "HEAD")["Content-Length"] == "\(size)")
      #expect(try site.ask("/s/holes", [("Range", "bytes=1-2")]).body == [0, 0])
    }
    try site.stop()
  }

  @Test("a file that becomes shorter while it is sent ends its connection, and no other")
  func shrinks() throws {
    let site = try Site(["--static-map", "/s=SITE/www"])
    let size = 32 << 20
    let path = site.folder.file("www/huge.bin")
    _ = FileManager.default.createFile(atPath: path, contents: Data(count: size))
    let socket = try site.server.connect(receiveBuffer: 4096)
    try socket.send("GET /s/huge.bin HTTP/1.1\r\nHost: x\r\n\r\n")
    let head = try Reply(head: try socket.receive(until: "\r\n\r\n"))
    #expect(head["Content-Length"] == "\(size)")
    #expect(truncate(path, 1 << 20) == 0)
    let got = try socket.receiveToItsEnd().bytes.count
    #expect(got < size, "\(got)")
    #expect(try site.ask("/s/a.css").text.hasPrefix("body"))
    try site.stop()
  }

  @Test("a coding that lies beside the file goes to clients that take it")
  func codings() throws {
    let site = try Site(["--static-map", "/s=SITE/www", "--static-gzip-ext", ".css"])
    for (name, text) in [("a.css.gz", "G"), ("a.css.br", "B"), ("ten.txt.gz", "T")] {
      try site.folder.write(text, to: "www/\(name)")
      try Site.age(site.folder.file("www/\(name)"))
    }
    for _ in 0..<2 {
      for (accepted, text, coding) in [
        ("gzip", "G", "gzip"), ("gzip, br", "B", "br"), ("gzip, br;q=0.1", "G", "gzip"),
        ("zstd", "body", nil),
        ("gzip;q=0", "body", nil), ("identity", "body", nil),
      ] as [(String, String, String?)] {
        let reply = try site.ask("/s/a.css", [("Accept-Encoding", accepted)])
        #expect(reply.text.hasPrefix(text) && reply["Content-Encoding"] == coding, "\(accepted): \(reply)")
        #expect(reply["Vary"] == "Accept-Encoding" && reply["Content-Type"] == "text/css; charset=utf-8")
      }
    }
    let plain = try site.ask("/s/ten.txt", [("Accept-Encoding", "gzip")])
    #expect(plain.text == "0123456789" && plain["Vary"] == nil)
    try site.stop()
  }

  @Test("a coded file that is asked for by its own name is a file like others", arguments: [true, false])
  func ownName(first: Bool) throws {
    let site = try Site(["--static-map", "/s=SITE/www", "--static-gzip-ext", ".css"])
    try site.folder.write("G", to: "www/a.css.gz")
    try Site.age(site.folder.file("www/a.css.gz"))
    func own() throws {
      let reply = try site.ask("/s/a.css.gz", [("Accept-Encoding", "gzip")])
      #expect(reply.text == "G" && reply["Content-Encoding"] == nil && reply["Vary"] == nil, "\(reply)")
      #expect(reply["Content-Type"] == "application/gzip", "\(reply)")
    }
    if first { try own() }
    for _ in 0..<2 {
      let reply = try site.ask("/s/a.css", [("Accept-Encoding", "gzip")])
      #expect(reply.text == "G" && reply["Content-Encoding"] == "gzip", "\(reply)")
      #expect(reply["Content-Type"] == "text/css; charset=utf-8" && reply["Vary"] == "Accept-Encoding")
      try own()
    }
    try site.stop()
  }

  @Test(
    "a file of any time is served, with a date that can be written",
    arguments: [
      (Int64(6_600_000_000_000), "Fri, 31 Dec 9999 23:59:59 GMT"), (.max, "Fri, 31 Dec 9999 23:59:59 GMT"),
      (-70_000_000_000, "Thu, 01 Jan 1970 00:00:00 GMT"), (.min, "Thu, 01 Jan 1970 00:00:00 GMT"),
    ])
  func anyTime(seconds: Int64, date: String) throws {
    // A file system in memory takes any number.
    let folder = "/dev/shm/nsgi-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try "old".write(toFile: folder + "/a.txt", atomically: false, encoding: .utf8)
    var times = [timespec(tv_sec: 0, tv_nsec: 0), timespec(tv_sec: Int(seconds), tv_nsec: 0)]
    #expect(utimensat(AT_FDCWD, folder + "/a.txt", &times, 0) == 0)
    let site = try Site([
      "--static-map", "/s=\(folder)", "--static-expires-mtime", "\\.txt$ 3600", "--static-expires",
      "\\.txt$ 3600",
    ])
    let reply = try site.ask("/s/a.txt")
    #expect(reply.text == "old" && reply["Last-Modified"] == date, "\(reply)")
    #expect(try site.ask("/s/a.txt", [("If-Modified-Since", date)]).status == 304)
    try site.stop()
  }

  @Test("one file, whole paths, endings that are the app's, types and expiry, under a master")
  func options() throws {
    let site = try Site(
      [
        "--static-map", "/favicon.ico=SITE/www/ten.txt", "--static-map2", "/www=SITE", "--static-skip-ext",
        ".php",
        "--static-expires-type", "text/plain=60", "--static-expires-uri", "\\.css$ 3600", "--mimefile",
        "/dev/null", "--offload-threads", "2", "--static-cache-paths", "1",
      ], process: ["-p", "1"])
    #expect(try site.ask("/favicon.ico").text == "0123456789")
    // A file has one path here too.
    #expect(try site.ask("/favicon.ico/")["ETag"] == nil)
    #expect(try site.ask("/www/a.css?v=1.css")["Cache-Control"] == "max-age=3600")
    let text = try site.ask("/www/ten.txt")
    #expect(text["Cache-Control"] == "max-age=60" && text["Expires"]?.hasSuffix(" GMT") == true, "\(text)")
    #expect(try site.ask("/www/large.bin")["Expires"] == nil)
    #expect(try site.ask("/www/x.php")["ETag"] == nil)
    try site.stop()
  }

  @Test("a directory that is not there is said at the start, and served once it is", arguments: ["1", "0"])
  func missing(workers: String) throws {
    let site = try Site(
      ["--static-map", "/late=SITE/late"], process: workers == "0" ? ["--no-master"] : ["-p", workers])
    #expect(try site.ask("/late/a.txt")["ETag"] == nil)
    try site.folder.folder("late")
    try site.folder.write("late", to: "late/a.txt")
    #expect(try site.ask("/late/a.txt").text == "late")
    try site.stop()
    #expect(site.server.process.output.contains("/late of --static-map is not there"))
  }

  @Test(
    "a file of media types that cannot be read ends the start with a sentence",
    arguments: [[], ["--no-master"]])
  func missingTypes(process: [String]) throws {
    let (exit, output) = try ChildProcess.run(
      Repository.server,
      [
        "--app", Repository.app("environ"), "--http-socket", "127.0.0.1:0", "--static-map", "/s=/tmp",
        "--mimefile",
        "/none/mime.types",
      ] + process)
    #expect(exit != .status(0) && output.contains("correct --mimefile"), "\(output)")
  }
}
