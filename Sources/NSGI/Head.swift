import CNSGI

/// The head of a request, as copies; for sync and async requests alike.
extension nsgi_host {
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
      bytes.withMemoryRebound(to: CChar.self) { env(id, nsgi_str(p: $0.baseAddress, n: $0.count)) }
    }
    return value.p == nil ? nil : String(value)
  }

  func all(_ id: nsgi_id) -> [String: String] {
    var count = 0
    guard let pairs = environ(id, &count) else { return [:] }
    var result = [String: String](minimumCapacity: count)
    for index in 0..<count { result[String(pairs[index].name)] = String(pairs[index].value) }
    return result
  }

  private func forEachField(_ id: nsgi_id, _ body: (nsgi_str, nsgi_str) -> Void) {
    var count = 0
    guard let pairs = fields(id, &count) else { return }
    for index in 0..<count { body(pairs[index].name, pairs[index].value) }
  }
}
