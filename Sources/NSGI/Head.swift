import CNSGI

/// The head of a request and what stands behind its body, as copies; for sync and async requests alike. Of
/// the pointer: a host of an earlier minor has a shorter table, which must not be copied.
extension UnsafePointer where Pointee == nsgi_host {
  func header(_ id: nsgi_id, _ name: String) -> String? {
    var result: String?
    forEachField(id) { field, value in
      guard field.equalsIgnoringCase(name) else { return }
      let text = String(value)
      if let earlier = result {
        result = earlier + (field.equalsIgnoringCase("cookie") ? "; " : ", ") + text
      } else {
        result = text
      }
    }
    return result
  }

  func headers(_ id: nsgi_id) -> Headers {
    var result = Headers()
    forEachField(id) { name, value in result.add(String(name), String(value)) }
    return result
  }

  func variable(_ id: nsgi_id, _ name: String) -> String? {
    var name = name
    let value = name.withUTF8 { bytes in
      bytes.withMemoryRebound(to: CChar.self) { pointee.env(id, nsgi_str(p: $0.baseAddress, n: $0.count)) }
    }
    return value.p == nil ? nil : String(value)
  }

  func all(_ id: nsgi_id) -> [String: String] {
    var count = 0
    guard let pairs = pointee.environ(id, &count) else { return [:] }
    var result = [String: String](minimumCapacity: count)
    for index in 0..<count { result[String(pairs[index].name)] = String(pairs[index].value) }
    return result
  }

  // MARK: Minor 1

  /// The host has the functions of nsgi.h 1.1.
  private var hasTrailers: Bool { pointee.head.minor >= 1 }

  /// Fields behind the body.
  func trailers(_ id: nsgi_id) -> Headers {
    var result = Headers()
    var count = 0
    guard hasTrailers, let pairs = pointee.request_trailers(id, &count) else { return result }
    for index in 0..<count { result.add(String(pairs[index].name), String(pairs[index].value)) }
    return result
  }

  /// Sends an interim response; an nsgi_result. A host without them drops it, as it would for many clients.
  func interim(_ id: nsgi_id, _ status: Int, _ headers: Headers) -> Int32 {
    guard hasTrailers else { return NSGI_OK.rawValue }
    return headers.withPairs(type: nil) { pairs in
      pointee.interim(id, Int32(clamping: status), pairs.baseAddress, pairs.count)
    }
  }

  /// Ends a response with trailers; an nsgi_result. A host without them drops them: its end is that of the
  /// exchange.
  func end(_ id: nsgi_id, _ trailers: Headers) -> Int32 {
    guard hasTrailers else { return NSGI_OK.rawValue }
    return trailers.withPairs(type: nil) { pairs in
      pointee.trailers(id, pairs.baseAddress, pairs.count)
    }
  }

  private func forEachField(_ id: nsgi_id, _ body: (nsgi_str, nsgi_str) -> Void) {
    var count = 0
    guard let pairs = pointee.fields(id, &count) else { return }
    for index in 0..<count { body(pairs[index].name, pairs[index].value) }
  }
}
