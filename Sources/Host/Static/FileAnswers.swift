import CLinux
import Config
import Wire

/// Answers that are files: from the head of a request, which names one, to its end. No app sees them, they
/// never wait, and none of them leaves the loop.
extension Worker {
  /// Bytes of a file that are read at once if it cannot go to the socket by itself.
  private static let pieceBytes = 64 * 1024

  /// The head is complete: is it for a file, or about the server? Then no app is looked up.
  @inline(never)
  func namesFile(_ exchange: ExchangePointer) -> Bool {
    if isRedirected(exchange) || health(exchange) != nil { return true }
    if let rules = ownAnswers.rules, route(rules, exchange) { return true }
    guard let files = ownAnswers.files else { return false }
    let found = look(files, exchange)
    if case .nothing = found { return false }
    files.keep(found, for: exchange.id)
    return true
  }

  /// The request is there: answers it.
  @inline(never)
  func answerFile(_ exchange: ExchangePointer) -> Dispatched {
    exchange.next(.served)
    exchange.neverWaits = true
    if isRedirected(exchange) {
      sendOn(exchange)
      account(exchange)
      return .answered
    }
    if let health = health(exchange) {
      answer(exchange, health.status, health.sentence, lines: "Cache-Control: no-store\r\n")
      account(exchange)
      return .answered
    }
    if let routing = exchange.routing, routing.answers {
      answer(exchange, routing)
    } else if let files = ownAnswers.files {
      answer(exchange, files.takeKept(for: exchange.id) ?? look(files, exchange))
    }
    account(exchange)
    return .answered
  }

  /// The answer is known, and a long body is still to come that nobody would look at: answers now, and closes
  /// (RFC 9110 §10.1.1, RFC 9112 §9.6). A client that is not allowed in must not have to be served first.
  func answerEarly(_ connection: ConnectionPointer, _ exchange: ExchangePointer) {
    answerLast(connection, exchange) { _ = answerFile(exchange) }
  }

  /// Answers with whatever a path names.
  func answer(_ exchange: ExchangePointer, _ found: StaticFiles.Found) {
    guard let files = ownAnswers.files else { return }
    switch found {
    case .nothing: answer(exchange, 404, "the file is gone")
    case .unavailable:
      log.error("no file can be opened, since no descriptor is left; raise --max-fd")
      answer(exchange, 503, "no file can be opened now")
    case _ where !isRead(exchange): answer(exchange, 405, "this is a file", lines: "Allow: GET, HEAD\r\n")
    case .directory:
      let path = apps.mounts.wholePath(&exchange.pointee)
      let location = FilePath.location(ofDirectory: path.bytes, query: exchange.meta.query.bytes)
      let line = "Location: \(String(decoding: location, as: UTF8.self))\r\n"
      answer(exchange, 301, "this is a directory, whose name ends with a slash", lines: line)
    case .file(let file):
      board?.countFile()
      answer(exchange, file, files)
    }
  }

  private func isRead(_ exchange: ExchangePointer) -> Bool {
    exchange.isHead || Ascii.equals(exchange.meta.method.bytes, "GET")
  }

  private func look(_ files: StaticFiles, _ exchange: ExchangePointer) -> StaticFiles.Found {
    let path = apps.mounts.wholePath(&exchange.pointee)
    let request =
      files.settings.coded.isEmpty
      ? FileRequest() : FileRequest(&exchange.head, exchange.base)
    return files.find(path.bytes, isRead: isRead(exchange), request, at: fileMoment)
  }

  /// The present, for files that are looked for.
  var fileMoment: FileMoment { FileMoment(now: now, epoch: rounds.epoch) }

  func add(_ exchange: ExchangePointer, _ lines: String) {
    var lines = lines
    lines.withUTF8 { exchange.response.add(lines: UnsafeRawBufferPointer($0)) }
  }

  // MARK: A file

  private func answer(_ exchange: ExchangePointer, _ file: ServedFile, _ files: StaticFiles) {
    let request = FileRequest(&exchange.head, exchange.base)
    let now = clinux_realtime_s()
    let verdict = file.verdict(request, now: now)
    let size = file.version.size
    var ranges = ByteRanges.whole
    switch verdict {
    case .preconditionFailed:
      return answer(exchange, 412, "the file is not the version that the request speaks of")
    case .notModified:
      try? exchange.response.begin(status: 304)
      addLines(exchange, file, files, now)
      return encodeWhole(exchange, .none)
    case .sendWhole: break
    case .send:
      if let text = request.range, !exchange.isHead {
        ranges = ByteRanges(text, size: size, limit: limits.fileRanges)
      }
    }
    switch ranges {
    case .unsatisfiable:
      answer(exchange, 416, "the file has no such part", lines: "Content-Range: bytes */\(size)\r\n")
    case .several(let parts) where parts.reduce(0, { $0 + Int64($1.count) }) <= limits.multipartBytes:
      begin(exchange, 206, file, files, now)
      sendParts(exchange, file, parts)
    case .one(let range):
      begin(exchange, 206, file, files, now)
      addType(exchange, file)
      add(exchange, Self.contentRange(range, size))
      send(exchange, file, range)
    case .whole, .several:
      begin(exchange, 200, file, files, now)
      addType(exchange, file)
      send(exchange, file, 0..<size)
    }
  }

  private func begin(
    _ exchange: ExchangePointer, _ status: Int, _ file: ServedFile, _ files: StaticFiles, _ now: Int64
  ) {
    try? exchange.response.begin(status: status)
    addLines(exchange, file, files, now)
  }

  private func addType(_ exchange: ExchangePointer, _ file: ServedFile) {
    file.typeLine.withUnsafeBytes { exchange.response.add(lines: $0) }
  }

  private static func contentRange(_ range: Range<Int64>, _ size: Int64) -> String {
    "Content-Range: bytes \(range.lowerBound)-\(range.upperBound - 1)/\(size)\r\n"
  }

  /// The common part of 200, 206 and 304 (RFC 9110 §15.4.5).
  private func addLines(
    _ exchange: ExchangePointer, _ file: ServedFile, _ files: StaticFiles, _ now: Int64
  ) {
    file.lines.withUnsafeBytes { exchange.response.add(lines: $0) }
    guard let expiry = files.settings.expiries.first(where: { holds($0, exchange, file) }) else { return }
    let end = (expiry.isFromChange ? file.version.date : now) + Int64(expiry.seconds)
    var lines = ByteBuffer()
    lines.append("Expires: ")
    lines.append(date: end)
    lines.append("\r\nCache-Control: max-age=")
    lines.append(decimal: max(0, end - now))
    lines.append("\r\n")
    exchange.response.add(lines: lines.bytes)
  }

  private func holds(_ expiry: Expiry, _ exchange: ExchangePointer, _ file: ServedFile) -> Bool {
    switch expiry.subject {
    case .path(let pattern): file.path.withUnsafeBytes { pattern.matches($0) }
    case .type(let type): file.type == type
    case .uri(let pattern): pattern.matches(exchange.meta.requestURI.bytes)
    case .pathInfo(let pattern): pattern.matches(exchange.meta.pathInfo.bytes)
    }
  }

  // MARK: Its bytes

  /// The head is begun: ends it, and sends one stretch.
  private func send(_ exchange: ExchangePointer, _ file: ServedFile, _ range: Range<Int64>) {
    exchange.response.setLength(Int64(range.count))
    if let content = file.content {
      let bytes = UnsafeRawBufferPointer(rebasing: content[Int(range.lowerBound)..<Int(range.upperBound)])
      if isSimple(exchange, bytes) { return encodeWhole(exchange, bytes) }
      encodeHead(exchange, knownLength: Int64(bytes.count))
      _ = encodeBody(exchange, bytes, isWhole: true)
      return endBody(exchange)
    }
    if exchange.isHead || range.isEmpty { return encodeWhole(exchange, .none) }
    let gateway = exchange.connection.gateway
    if gateway.hasSocket {
      return encodeFile(
        exchange, file.stretch(range, in: gateway.sendsBodiesPlain ? nil : exchange.encoder))
    }
    encodeHead(exchange, knownLength: Int64(range.count))
    copy(exchange, file, range)
    endBody(exchange)
  }

  /// Several stretches, each with a head of its own (RFC 9110 §14.6).
  private func sendParts(_ exchange: ExchangePointer, _ file: ServedFile, _ parts: [Range<Int64>]) {
    let border = "nsgi" + String(UInt64.random(in: .min ... .max), radix: 16)
    let type = String(decoding: file.typeLine, as: UTF8.self)
    let heads = parts.map {
      "\r\n--\(border)\r\n\(type)\(Self.contentRange($0, file.version.size))\r\n"
    }
    let end = "\r\n--\(border)--\r\n"
    let length = zip(heads, parts).reduce(end.utf8.count) { $0 + $1.0.utf8.count + $1.1.count }
    add(exchange, "Content-Type: multipart/byteranges; boundary=\(border)\r\n")
    exchange.response.setLength(Int64(length))
    encodeHead(exchange, knownLength: Int64(length))
    for (head, range) in zip(heads, parts) {
      write(exchange, head)
      if let content = file.content {
        let bytes = content[Int(range.lowerBound)..<Int(range.upperBound)]
        _ = encodeBody(exchange, UnsafeRawBufferPointer(rebasing: bytes), isWhole: true)
      } else {
        copy(exchange, file, range)
      }
      guard exchange.phase == .responding else { return }
    }
    write(exchange, end)
    endBody(exchange)
  }

  private func write(_ exchange: ExchangePointer, _ text: String) {
    var text = text
    text.withUTF8 { _ = encodeBody(exchange, UnsafeRawBufferPointer($0), isWhole: true) }
  }

  /// Reads a stretch and writes it as a part of the body. A file that has become shorter ends the response
  /// there: it is cut.
  private func copy(_ exchange: ExchangePointer, _ file: ServedFile, _ range: Range<Int64>) {
    withUnsafeTemporaryAllocation(byteCount: Worker.pieceBytes, alignment: 16) { room in
      var place = range.lowerBound
      while place < range.upperBound, exchange.phase == .responding {
        let piece = UnsafeMutableRawBufferPointer(
          rebasing: room[..<Int(min(Int64(room.count), range.upperBound - place))])
        guard let got = try? file.read(piece, at: place), got > 0 else {
          if requestLines.refusals.admits(at: now) {
            log.error("a file became shorter while it was sent: \(exchange.requestLine)")
          }
          exchange.next(.cut)
          return
        }
        _ = encodeBody(exchange, UnsafeRawBufferPointer(rebasing: piece[..<got]), isWhole: true)
        place += Int64(got)
      }
    }
  }
}

extension UnsafeMutablePointer where Pointee == Exchange {
  /// A body is to come that is more than fits with a head, or of unknown length, or whose client asks first
  /// whether it is wanted.
  var announcesMuch: Bool {
    !pointee.head.endsRequest
      && (pointee.head.expectsContinue || pointee.head.isChunked
        || pointee.meta.contentLength > Int64(BlockPool.blockBytes))
  }
}
