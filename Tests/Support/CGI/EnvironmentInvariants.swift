// What must hold for any environment and standard input of a CGI request.
import Wire

/// Reads what stands before the first empty string of `input` as the environment (strings ended by NUL),
/// the rest as standard input. Returns what is wrong; empty if all is well.
public func verifyEnvironment(_ input: [UInt8], limits: HeadLimits = .fuzzing) -> [String] {
  let border = input.firstRange(of: [0, 0]) ?? input.count..<input.count
  let environment = Array(input[..<border.lowerBound]) + [0]
  let standardInput = input[border.upperBound...]
  var reader = CGIRequestReader(limits: limits)
  var head = RequestHead(capacity: limits.fields)
  head.reset(form: .variables)
  environment.withUnsafeBytes { head.assembled.append($0) }
  let memory = GuardedMemory(capacity: standardInput.count)
  let window = UnsafeRawBufferPointer(memory.place(standardInput))
  var (offset, body) = (0, 0)
  do throws(CGIError) {
    guard try reader.next(window.bytes, &offset, &head) == .head, offset == 0 else { return ["no head"] }
    var problems = check(head, environment)
    while case .body(let range) = try reader.next(window.bytes, &offset, &head) {
      body += Int(range.count)
      if range.isEmpty || range.end != offset { problems.append("body \(range) before \(offset)") }
    }
    let announced = Int(head.framing.knownLength ?? -1)
    if body != min(announced, standardInput.count) { problems.append("body of \(body), not \(announced)") }
    return problems
  } catch {
    return (400...499).contains(error.status) ? [] : ["status \(error.status)"]
  }
}

/// The variables against an independent reading of the same strings.
private func check(_ head: borrowing RequestHead, _ environment: [UInt8]) -> [String] {
  let base = UnsafeRawPointer(head.assembled.base!)
  var expected: [[UInt8]] = []
  for string in environment.split(separator: 0) {
    if let equals = string.firstIndex(of: UInt8(ascii: "=")), equals > string.startIndex {
      expected.append(Array(string))
    }
  }
  var found: [[UInt8]] = []
  for position in 0..<head.count {
    let field = head[position]
    found.append(Array(field.name.bytes(in: base)) + [UInt8(ascii: "=")] + Array(field.value.bytes(in: base)))
  }
  return found == expected ? [] : ["variables \(found), expected \(expected)"]
}
