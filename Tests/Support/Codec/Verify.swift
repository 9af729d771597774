// Feeds a message to a reader in every way it can arrive, and says what differs.
import Wire

/// Feeds `fixture` whole, in two pieces split at every point, byte by byte, in random pieces, glued to
/// itself and with bytes behind it, always against an inaccessible page. Returns what is wrong; empty if
/// all is well.
public func verify<Codec: RequestCodec>(
  _ codec: Codec.Type, _ fixture: Fixture, limits: HeadLimits = .fixtures
) -> [String] {
  let whole = Transcript(codec, fixture.input, limits: limits)
  var problems = whole.breaches
  guard let expected = fixture.expected else {
    return ["\(fixture.name).expect is missing; the events are:\n" + whole.lines.joined(separator: "\n")]
  }
  if whole.lines != expected {
    problems.append(difference("whole", whole.lines, expected))
  }
  if fixture.isValid == whole.lines.contains(where: { $0.hasPrefix("error") }) {
    problems.append(fixture.isValid ? "a valid message was refused" : "an invalid message was accepted")
  }
  problems += verifyDelivery(codec, fixture.input, whole, limits: limits)
  if fixture.isValid {
    problems += verifyPrefixes(codec, fixture.input, whole, limits: limits)
    problems += verifyNeighbours(codec, fixture.input, whole, limits: limits)
  }
  return problems.map { "\(fixture.name): \($0)" }
}

/// What must hold for any bytes at all: the events do not depend on how the bytes arrive. The first
/// difference is returned; fuzzing and the corpus replay use this too.
public func verifyInvariants<Codec: RequestCodec>(
  _ codec: Codec.Type, _ input: [UInt8], limits: HeadLimits = .fixtures, seed: UInt64 = 1
) -> [String] {
  let memory = GuardedMemory(capacity: input.count)
  let whole = Transcript(codec, input, limits: limits, memory: memory)
  if !whole.breaches.isEmpty { return whole.breaches }
  var random = SeededRandom(seed)
  let deliveries = [
    Transcript.Delivery(pieces: bytewise(input.count)),
    Transcript.Delivery(pieces: bytewise(input.count), slides: true),
    Transcript.Delivery(pieces: random.pieces(of: input.count), slides: true),
  ]
  for delivery in deliveries {
    let other = Transcript(codec, input, delivery, limits: limits, memory: memory)
    if other != whole { return [difference("\(delivery)", other.lines + other.breaches, whole.lines)] }
  }
  return []
}

/// Every way of cutting the message gives the events of the whole.
private func verifyDelivery<Codec: RequestCodec>(
  _ codec: Codec.Type, _ input: [UInt8], _ whole: Transcript, limits: HeadLimits
) -> [String] {
  let memory = GuardedMemory(capacity: input.count)
  var deliveries: [(name: String, delivery: Transcript.Delivery)] = []
  for split in splits(input.count) {
    deliveries.append(("split at \(split)", .init(pieces: [split])))
    deliveries.append(("split at \(split), sliding", .init(pieces: [split], slides: true)))
  }
  deliveries.append(("byte by byte", .init(pieces: bytewise(input.count))))
  deliveries.append(("byte by byte, sliding", .init(pieces: bytewise(input.count), slides: true)))
  for _ in 0..<20 {
    let seed = UInt64.random(in: 1...UInt64.max)
    var random = SeededRandom(seed)
    let pieces = random.pieces(of: input.count)
    let name = "SeededRandom(\(seed)).pieces(of: \(input.count))"
    deliveries.append((name, .init(pieces: pieces, slides: true)))
  }
  for (name, delivery) in deliveries {
    let other = Transcript(codec, input, delivery, limits: limits, memory: memory)
    if other != whole { return [difference(name, other.lines + other.breaches, whole.lines)] }
  }
  return []
}

/// The beginning of a valid message is no error, and no request ends before its last byte.
private func verifyPrefixes<Codec: RequestCodec>(
  _ codec: Codec.Type, _ input: [UInt8], _ whole: Transcript, limits: HeadLimits
) -> [String] {
  for size in splits(input.count) {
    let part = Transcript(codec, Array(input[..<size]), limits: limits)
    let ends = whole.ends.filter { $0 <= size }
    if part.lines.contains(where: { $0.hasPrefix("error") }) || part.ends != ends || !part.breaches.isEmpty {
      return ["the first \(size) bytes give:\n" + (part.lines + part.breaches).joined(separator: "\n")]
    }
  }
  return []
}

/// The message is read the same in front of another one, and nothing behind it is touched.
private func verifyNeighbours<Codec: RequestCodec>(
  _ codec: Codec.Type, _ input: [UInt8], _ whole: Transcript, limits: HeadLimits
) -> [String] {
  guard whole.ends.last == input.count else { return [] }
  var problems: [String] = []
  let strange: [UInt8] = [0, 0xff, 0x0a, 0x20, 0x0d]
  let delivery = Transcript.Delivery(requests: whole.ends.count)
  let followed = Transcript(codec, input + strange, delivery, limits: limits)
  let lines = followed.lines.filter { !$0.hasPrefix("rest ") }
  if lines != whole.lines || followed.consumed != input.count {
    problems.append(difference("followed by other bytes", followed.lines, whole.lines))
  }
  if Codec.carriesManyRequests {
    let glued = Transcript(codec, input + input, limits: limits)
    if glued.lines != whole.lines + whole.lines {
      problems.append(difference("glued to itself", glued.lines, whole.lines + whole.lines))
    }
  }
  return problems
}

/// Every point inside a message; of a long one its first and last parts and points spread between.
private func splits(_ count: Int) -> [Int] {
  guard count > 1 else { return [] }
  if count <= 1500 { return Array(1..<count) }
  return Array(1..<300) + stride(from: 300, to: count - 300, by: count / 200) + (count - 300..<count)
}

func bytewise(_ count: Int) -> [Int] { Array(repeating: 1, count: count) }

func difference(_ name: String, _ found: [String], _ expected: [String]) -> String {
  "\(name)\n--- expected\n\(expected.joined(separator: "\n"))\n--- found\n\(found.joined(separator: "\n"))"
}
