import CNSGI
import Control
import Host
import Wire

/// One response of the exercise: compares what nsgi.h says about the order of calls, heads and lengths with
/// what the application does. Bytes are counted, not kept.
struct ExerciseResponse: ~Copyable {
  /// The result of a function, and the error in the call.
  struct Answer {
    let code: Int32
    let violation: String?

    static var ok: Answer { Answer(code: NSGI_OK.rawValue, violation: nil) }
    static func misuse(_ violation: String) -> Answer {
      Answer(code: NSGI_MISUSE.rawValue, violation: violation)
    }
  }

  /// The request method is HEAD.
  let isHead: Bool
  private var head = ResponseHead(limit: 64 * 1024)
  /// Bytes of the body so far, including dropped ones (HEAD, 204, 304).
  private(set) var written: Int64 = 0
  /// respond() or trailers() was called: nothing may follow.
  private(set) var isComplete = false
  private var end = "respond()"
  private var wasRefused = false
  /// The head has been sent, by flush() or sendfile(): there can be no other one.
  private var isCommitted = false

  init(isHead: Bool) { self.isHead = isHead }

  /// 0 while there is none.
  var status: Int { head.status }
  private var isBodiless: Bool { isHead || head.status == 204 || head.status == 304 }

  private var stage: ResponseRules.Stage {
    if isComplete { return .complete }
    if written > 0 || isCommitted { return .writing }
    return head.status == 0 ? .unstarted : .started
  }

  /// What is wrong with the order of a call; nil if nothing is.
  private func outOfOrder(_ name: String, _ call: ResponseRules.Call) -> Answer? {
    let verdict = ResponseRules.verdict(call, in: stage)
    let earlier = isComplete ? end : written > 0 ? "bytes of the body" : "flush()"
    return switch verdict {
    case .allowed: nil
    case .gone: Answer(code: verdict.code, violation: nil)
    // The refusal was reported; calls that follow it are no further mistakes.
    case .tooEarly: Answer(code: verdict.code, violation: wasRefused ? nil : "\(name) before start()")
    case .tooLate: Answer(code: verdict.code, violation: "\(name) after \(earlier)")
    }
  }

  // MARK: Head

  mutating func begin(_ call: String, status: Int32, reason: UnsafeRawBufferPointer? = nil) -> Answer {
    if let fault = outOfOrder(call, .start) { return fault }
    do throws(ResponseError) {
      guard status >= 200 else { throw .invalidStatus }
      try head.begin(status: Int(status), reason: reason)
      return .ok
    } catch { return refuse(call, error, "status \(status)") }
  }

  mutating func announce(_ phrase: nsgi_str) -> Answer {
    if let fault = outOfOrder("reason()", .reason) { return fault }
    guard phrase.n >= 0, phrase.p != nil || phrase.n == 0 else {
      return .misuse("reason() with \(phrase.n) bytes at NULL")
    }
    // The phrase does not matter here: nothing is sent.
    do throws(ResponseError) {
      try head.announce(reason: phrase.bytes)
      return .ok
    } catch { return .misuse("reason() with control characters") }
  }

  mutating func add(
    _ call: String, name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer
  ) -> Answer {
    do throws(ResponseError) {
      try head.add(name: name, value: value, mayAnnounce: call == "start()")
      return .ok
    } catch { return refuse(call, error, "field \(String(decoding: name, as: UTF8.self))") }
  }

  private mutating func refuse(_ call: String, _ error: ResponseError, _ what: String) -> Answer {
    head.reset()
    wasRefused = true
    let code = error == .tooLarge ? NSGI_TOOBIG.rawValue : NSGI_MISUSE.rawValue
    return Answer(code: code, violation: "\(call) with a bad head (\(what)): \(error.sentence)")
  }

  mutating func begin(
    _ call: String, status: Int32, _ fields: UnsafePointer<nsgi_pair>?, _ count: Int
  ) -> Answer {
    let begun = begin(call, status: status)
    guard begun.violation == nil else { return begun }
    guard count == 0 || fields != nil else { return .misuse("\(call) with \(count) fields at NULL") }
    for index in 0..<count {
      guard let field = fields?[index], field.name.p != nil, field.value.p != nil || field.value.n == 0 else {
        return .misuse("\(call) with a field at NULL")
      }
      let added = add(call, name: field.name.bytes, value: field.value.bytes)
      guard added.violation == nil else { return added }
    }
    return .ok
  }

  mutating func respond(
    status: Int32, _ fields: UnsafePointer<nsgi_pair>?, _ count: Int, _ body: UnsafeRawPointer?, _ length: Int
  ) -> Answer {
    let begun = begin("respond()", status: status, fields, count)
    guard begun.violation == nil else { return begun }
    let declared = head.contentLength
    guard declared < 0 || declared == length || isHead || head.status == 304 else {
      head.reset()
      return .misuse("respond() with Content-Length \(declared) and a body of \(length) bytes")
    }
    guard length == 0 || body != nil else { return .misuse("respond() with \(length) bytes at NULL") }
    touch(UnsafeRawBufferPointer(start: body, count: length))
    written = Int64(length)
    isComplete = true
    return .ok
  }

  // MARK: Body

  /// write(), lend() and sendfile(): `count` bytes more.
  mutating func add(_ call: String, _ count: Int64) -> Answer {
    if let fault = outOfOrder(call, .body) { return fault }
    let declared = head.contentLength
    let (sum, isTooMuch) = written.addingReportingOverflow(count)
    written = isTooMuch ? .max : sum
    guard declared < 0 || isBodiless || written <= declared else {
      return .misuse("\(call) beyond the Content-Length of \(declared)")
    }
    return .ok
  }

  mutating func write(_ call: String, _ bytes: UnsafeRawPointer?, _ count: Int) -> Answer {
    guard count >= 0, count == 0 || bytes != nil else {
      return .misuse("\(call) with \(count) bytes at NULL")
    }
    touch(UnsafeRawBufferPointer(start: bytes, count: count))
    return add(call, Int64(count))
  }

  mutating func flush() -> Answer {
    if let fault = outOfOrder("flush()", .flush) { return fault }
    isCommitted = true
    return .ok
  }

  /// sendfile(): `count` bytes of a file.
  mutating func send(_ count: Int64) -> Answer {
    let answer = add("sendfile()", count)
    if answer.code == NSGI_OK.rawValue { isCommitted = true }
    return answer
  }

  /// Reads the bytes: a bad pointer is found here, while the application is in the call that gave it.
  private func touch(_ bytes: UnsafeRawBufferPointer) { _ = ExerciseResponse.checksum(bytes) }

  static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt64 { FNV1a.hash(bytes) }

  // MARK: Interim responses and trailers

  func interim(_ status: Int32, _ fields: UnsafePointer<nsgi_pair>?, _ count: Int) -> Answer {
    if let fault = outOfOrder("interim()", .interim) { return fault }
    guard 102...199 ~= status else {
      return .misuse("interim() with the status \(status), which is not from 102 to 199")
    }
    var one = ResponseHead(limit: 64 * 1024)
    do throws(ResponseError) { try one.begin(status: Int(status)) } catch {
      return .misuse("interim() with the status \(status)")
    }
    for index in 0..<count {
      guard let field = ExerciseResponse.field(fields, index) else {
        return .misuse("interim() with a field at NULL")
      }
      do throws(ResponseError) { try one.add(name: field.name.bytes, value: field.value.bytes) } catch {
        return ExerciseResponse.refusal("interim()", field, error)
      }
    }
    guard one.contentLength < 0, !one.hasSendfile else {
      return .misuse("interim() with a field of a body, which it has none of")
    }
    return .ok
  }

  mutating func trailers(_ fields: UnsafePointer<nsgi_pair>?, _ count: Int) -> Answer {
    if let fault = outOfOrder("trailers()", .trailers) { return fault }
    var section = TrailerSection(limit: 64 * 1024)
    for index in 0..<count {
      guard let field = ExerciseResponse.field(fields, index) else {
        return .misuse("trailers() with a field at NULL")
      }
      do throws(ResponseError) { try section.add(name: field.name.bytes, value: field.value.bytes) } catch {
        return ExerciseResponse.refusal("trailers()", field, error)
      }
    }
    let declared = head.contentLength
    guard isBodiless || declared <= written else {
      return .misuse("trailers() after \(written) bytes of a Content-Length of \(declared)")
    }
    (isComplete, end) = (true, "trailers()")
    return .ok
  }

  /// A field of a list; nil for none at NULL.
  private static func field(_ fields: UnsafePointer<nsgi_pair>?, _ index: Int) -> nsgi_pair? {
    guard let field = fields?[index], field.name.p != nil, field.value.p != nil || field.value.n == 0 else {
      return nil
    }
    return field
  }

  private static func refusal(_ call: String, _ field: nsgi_pair, _ error: ResponseError) -> Answer {
    let name = String(decoding: field.name.bytes, as: UTF8.self)
    let code = error == .tooLarge ? NSGI_TOOBIG.rawValue : NSGI_MISUSE.rawValue
    return Answer(code: code, violation: "\(call) with a bad field (\(name)): \(error.sentence)")
  }

  // MARK: End

  /// What is wrong with the response when its exchange ends with `result`; nil if nothing is.
  func fault(atEnd result: Int32) -> String? {
    guard result >= 0 else { return nil }
    guard head.status != 0 else {
      return wasRefused ? nil : "ended with \(Generation.resultName(result)) and without a response"
    }
    let declared = head.contentLength
    guard !isComplete, !isBodiless, declared >= 0, written < declared else { return nil }
    return "announced a Content-Length of \(declared) and wrote \(written) bytes"
  }

  /// What the client saw: "200, 13 bytes".
  var summary: String { "\(head.status), \(written) bytes" }
}
