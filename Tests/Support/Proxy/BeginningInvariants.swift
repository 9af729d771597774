// What must hold for the first bytes of any connection.
import Wire

/// Reads `input` as a PROXY header and looks for its protocol, whole and at every shorter length, against
/// an inaccessible page. Returns what is wrong; empty if all is well.
public func verifyBeginning(_ input: [UInt8]) -> [String] {
  let memory = GuardedMemory(capacity: input.count)
  let whole = proxyVerdict(input[...], memory)
  let protocolName = sniff(input[...], memory)
  var problems: [String] = []
  if input.count >= Sniffer.bytesAtMost, protocolName == .needMore { problems.append("protocol undecided") }
  for size in 0..<min(input.count, 300) {
    let early = proxyVerdict(input[..<size], memory)
    if early != "needMore", early != whole { problems.append("\(size) bytes give \(early), all \(whole)") }
    let earlyName = sniff(input[..<size], memory)
    if earlyName != .needMore, earlyName != protocolName {
      problems.append("\(size) bytes are \(earlyName), all \(protocolName)")
    }
  }
  return problems
}

/// What `ProxyHeader.read` makes of `bytes`, as one line.
public func proxyVerdict(_ bytes: ArraySlice<UInt8>, _ memory: GuardedMemory) -> String {
  do throws(ProxyError) {
    switch try ProxyHeader.read(UnsafeRawBufferPointer(memory.place(bytes))) {
    case .needMore: return "needMore"
    case .absent: return "absent"
    case .header(let header, let count):
      let source = "\(header.source.string) \(header.sourcePort)"
      return "\(header.family) \(source) > \(header.destination.string) \(header.destinationPort), \(count)"
    }
  } catch {
    return "error \(error)"
  }
}

private func sniff(_ bytes: ArraySlice<UInt8>, _ memory: GuardedMemory) -> Sniffer.Verdict {
  Sniffer.recognise(UnsafeRawBufferPointer(memory.place(bytes)))
}
