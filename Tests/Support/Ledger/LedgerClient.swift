import Foundation

/// One client of the ledger: asks one request after the other, its own way, and checks every answer.
struct LedgerClient {
  private let ledger: Ledger
  private let way: Ledger.Way
  private let address: Address
  private var socket: RawSocket?
  /// The same of HTTP/2.
  private var streams: HTTP2Client?
  /// Requests on this connection, and the oldest generation that may answer on it.
  private var turn = 0
  private var oldest = 0
  /// Requests of the client.
  private var asked = 0

  init(_ ledger: Ledger, _ way: Ledger.Way, _ address: Address) {
    (self.ledger, self.way, self.address) = (ledger, way, address)
  }

  /// What bodies are the beginning of, and the sum of each beginning.
  private static let sample = TestBody.bytes(40_000)
  private static let sums = sample.reduce(into: [0]) { $0.append($0.last! + Int($1)) }

  /// What is asked for.
  private enum Question {
    case short, post(Int), chunked(Int), stream, big, upload(Int)

    var target: String {
      switch self {
      case .short: "/"
      case .post, .chunked, .upload: "/body"
      case .stream: "/stream"
      case .big: "/big"
      }
    }
  }

  /// What went wrong with a request.
  private struct Failure: Error {
    let kind: Ledger.Loss.Kind
    let detail: String

    init(_ kind: Ledger.Loss.Kind, _ detail: String) { (self.kind, self.detail) = (kind, detail) }
  }

  mutating func close() { (socket, streams) = (nil, nil) }

  // MARK: One request

  /// Asks once, and rests a little.
  mutating func ask() {
    let id = ledger.nextID()
    asked += 1
    do {
      let began = DispatchTime.now().uptimeNanoseconds
      let question = question()
      let reply = try way == .http2 ? askStream(question, id) : exchange(question, id)
      let generation = try check(reply, question, id)
      let isShort = if case .short = question { true } else { false }
      ledger.answered(
        id, generation, short: isShort ? DispatchTime.now().uptimeNanoseconds - began : nil)
      if !keeps || (reply["connection"] ?? "").lowercased() == "close" { self.socket = nil }
    } catch {
      let failure = error as? Failure ?? Self.failure(error)
      ledger.lost(.init(kind: failure.kind, way: way, id: id, detail: failure.detail, turn: turn))
      close()
    }
    usleep(way == .httpIdle ? .random(in: 50_000...400_000) : .random(in: 200...4000))
  }

  private mutating func exchange(_ question: Question, _ id: Int) throws -> Reply {
    let socket = try connection()
    turn += 1
    let deadline = Deadline(seconds: 40)
    try send(question, id, socket, deadline)
    return try receive(question, socket, deadline)
  }

  private var keeps: Bool {
    switch way {
    case .httpKeepAlive, .httpIdle, .fastcgiKeepAlive, .stream, .upload: true
    default: false
    }
  }

  private func question() -> Question {
    switch way {
    case .slowReader: return .big
    case .stream: return .stream
    case .http2 where asked % 8 == 1: return .stream
    case .http2 where asked % 8 == 2: return .big
    case .upload: return .upload(.random(in: 1...40_000))
    case .httpKeepAlive, .httpFresh, .httpIdle:
      if asked % 5 == 1 { return .chunked(.random(in: 1...20_000)) }
      fallthrough
    default: return asked % 3 == 0 ? .post(.random(in: 1...20_000)) : .short
    }
  }

  /// The connection that is there, unless its other end has closed it while nothing was asked.
  private mutating func connection() throws -> RawSocket {
    if let socket {
      var entry = pollfd(fd: socket.descriptor, events: Int16(POLLIN), revents: 0)
      guard poll(&entry, 1, 0) > 0 else { return socket }
      var byte: UInt8 = 0
      let count = recv(socket.descriptor, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT))
      if count > 0 { throw Failure(.wrong, "bytes that nobody asked for") }
      ledger.idleEnded()
    }
    (turn, oldest) = (0, ledger.oldestGeneration)
    do {
      let made = try RawSocket(address, receiveBuffer: way == .slowReader ? 8192 : nil)
      socket = made
      return made
    } catch { throw Failure(.refused, "\(error)") }
  }

  // MARK: HTTP/2

  /// Asks on a stream; again on another connection, if the first one was leaving and has not served it.
  private mutating func askStream(_ question: Question, _ id: Int) throws -> Reply {
    let body =
      switch question {
      case .short, .stream, .big: [UInt8]()
      case .post(let count), .chunked(let count), .upload(let count): Array(Self.sample.prefix(count))
      }
    while true {
      let client = try streamConnection()
      turn += 1
      let stream = try client.request(
        "\(question.target)?id=\(id)", body.isEmpty ? "GET" : "POST", ends: body.isEmpty)
      if !body.isEmpty { try client.upload(stream, body, ends: true) }
      let answer = try client.answer(stream)
      if let goAway = client.goAways.last, goAway.last < stream {
        streams = nil
        continue
      }
      guard answer.status > 0 else { throw Failure(.unanswered, "ended by \(answer.ending)") }
      return try answer.reply()
    }
  }

  /// The connection that is there, unless it has said that it takes no more streams (RFC 9113 §6.8). It keeps
  /// all of its answers: after some there is another one.
  private mutating func streamConnection() throws -> HTTP2Client {
    if let streams, turn < 50 {
      try streams.takeIn()
      if streams.goAways.isEmpty { return streams }
    }
    (turn, oldest) = (0, ledger.oldestGeneration)
    let made: HTTP2Client
    do { made = try HTTP2Client(RawSocket(address)) } catch { throw Failure(.refused, "\(error)") }
    streams = made
    return made
  }

  // MARK: Asking

  private func send(_ question: Question, _ id: Int, _ socket: RawSocket, _ deadline: Deadline) throws {
    let target = "\(question.target)?id=\(id)"
    switch question {
    case .chunked(let count), .upload(let count):
      let pieces = if case .upload = question { 6 } else { 1 }
      var head = "POST \(target) HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
      head += keeps ? "\r\n" : "Connection: close\r\n\r\n"
      // What the server does not take shows in what it answers.
      try socket.send(head, deadline)
      var rest = Self.sample.prefix(count)
      while !rest.isEmpty {
        let piece = rest.prefix(max(1, count / pieces))
        rest = rest.dropFirst(piece.count)
        let size = "\(String(piece.count, radix: 16))\r\n"
        guard try socket.send(Array(size.utf8) + piece + [13, 10], deadline) else { return }
        if pieces > 1 { usleep(3000) }
      }
      try socket.send("0\r\n\r\n", deadline)
    case .post(let count): try socket.send(bytes(target, Array(Self.sample.prefix(count))), deadline)
    case .short, .stream, .big: try socket.send(bytes(target, []), deadline)
    }
  }

  private func bytes(_ target: String, _ body: [UInt8]) -> [UInt8] {
    guard keeps else { return GatewayRequest.bytes(way.gateway, target, body: body) }
    if way == .fastcgiKeepAlive {
      return GatewayRequest.bytes("fastcgi", target, body: body, keepsConnection: true)
    }
    let length = body.isEmpty ? "" : "Content-Length: \(body.count)\r\n"
    let head = "\(body.isEmpty ? "GET" : "POST") \(target) HTTP/1.1\r\nHost: localhost\r\n\(length)\r\n"
    return Array(head.utf8) + body
  }

  // MARK: The answer

  private func receive(_ question: Question, _ socket: RawSocket, _ deadline: Deadline) throws -> Reply {
    switch way {
    case .scgi, .uwsgi, .fastcgi:
      let bytes = try socket.receiveAll(deadline)
      if bytes.isEmpty { throw Failure(.unanswered, "the connection ended") }
      do {
        return try GatewayRequest.reply(way.gateway, bytes)
      } catch { throw Failure(.truncated, "\(error)") }
    case .fastcgiKeepAlive: return try receiveFastCGI(socket, deadline)
    case .slowReader:
      // The first bytes are left lying until the server has more than the socket takes.
      let first = try socket.receive(1, deadline)
      usleep(.random(in: 1000...60_000))
      socket.putBack(first)
      return try socket.receiveReply(deadline)
    default: return try socket.receiveReply(deadline)
    }
  }

  private func receiveFastCGI(_ socket: RawSocket, _ deadline: Deadline) throws -> Reply {
    var records: [UInt8] = []
    while true {
      let header = try socket.receive(exactly: 8, deadline)
      guard header.count == 8 else {
        let isFirst = records.isEmpty && header.isEmpty
        throw Failure(isFirst ? .unanswered : .truncated, "the connection ended")
      }
      let count = Int(header[4]) * 256 + Int(header[5]) + Int(header[6])
      let content = try socket.receive(exactly: count, deadline)
      guard content.count == count else { throw Failure(.truncated, "inside a record") }
      records += header + content
      if header[1] == 3 { break }
    }
    var rest = records[...]
    return try FastCGIReply(&rest).reply
  }

  /// The letter and generation that answered, if all of it is as it should be.
  private func check(_ reply: Reply, _ question: Question, _ id: Int) throws -> String {
    let text = String(decoding: reply.body.prefix(80), as: UTF8.self)
    guard reply.status == 200 else { throw Failure(.status, "\(reply.status) \(text)") }
    let tail = String(decoding: reply.body.suffix(80), as: UTF8.self)
    guard reply.isComplete, tail.hasSuffix("\n"), let last = tail.split(separator: "\n").last else {
      throw Failure(.truncated, "\(reply.body.count) bytes, … \(tail)")
    }
    let first = (text.split(separator: "\n").first ?? "").split(separator: " ")
    let end = last.split(separator: " ")
    guard end.first == "end", end.count == 4 else { throw Failure(.truncated, "… \(tail)") }
    guard first.first == "begin", first.count == 4, first[3] == "\(id)", end[3] == first[3] else {
      throw Failure(.wrong, text)
    }
    guard first[1] == end[1], first[2] == end[2] else { throw Failure(.mixed, "\(first) … \(end)") }
    guard let generation = Int(first[2]), generation >= oldest else {
      throw Failure(.stale, "generation \(first[2]) answers on a connection of the time of \(oldest)")
    }
    try checkContent(reply, question)
    return "\(first[1]) \(first[2])"
  }

  private func checkContent(_ reply: Reply, _ question: Question) throws {
    switch question {
    case .short: break
    case .post(let count), .chunked(let count), .upload(let count):
      let sum = Self.sums[count]
      guard reply.text.contains("\nbody \(count) \(sum)\n") else {
        throw Failure(.wrong, "\(reply.text) for \(count) bytes of sum \(sum)")
      }
    case .stream:
      let pieces = reply.text.split(separator: "\n").count { $0.hasPrefix("piece ") }
      guard pieces == 16 else { throw Failure(.wrong, "\(pieces) pieces") }
    case .big:
      guard reply.body.count > 512 * 1024 else { throw Failure(.wrong, "\(reply.body.count) bytes") }
    }
  }

  private static func failure(_ error: any Error) -> Failure {
    switch error as? SupportError {
    case .system(_, let code): Failure(.reset, String(cString: strerror(code)))
    case .timedOut(let what, _): Failure(.timedOut, what)
    case .malformedReply(let text) where text.hasSuffix(": "): Failure(.unanswered, text)
    case .malformedReply(let text): Failure(.truncated, text)
    default: Failure(.wrong, "\(error)")
    }
  }
}
