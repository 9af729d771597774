/// A peer that is trusted about the client: `--trusted-proxy 10.0.0.0/8`, `::1`, or `unix`.
public enum TrustedProxy: Sendable, Equatable {
  /// Addresses whose first `prefixBits` (0...128, IPv4 counted in its mapped form) equal those of `base`.
  case network(base: IPAddress, prefixBits: Int)
  /// Any peer on a unix socket.
  case unixPeers

  /// Whether `address` is in the network.
  public func contains(_ address: IPAddress) -> Bool {
    guard case .network(let base, let prefixBits) = self else { return false }
    let mask = Self.mask(prefixBits)
    return address.high & mask.high == base.high & mask.high && address.low & mask.low == base.low & mask.low
  }

  /// Reads `address`, `address/bits` or `unix`.
  ///
  /// - Parameter isLoose: bits beyond the prefix are ignored.
  public init(parsing text: String, isLoose: Bool = false) throws(ValueError) {
    if text == "unix" {
      self = .unixPeers
      return
    }
    let slash = text.utf8.firstIndex(of: Ascii.slash) ?? text.endIndex
    guard let base = IPAddress(parsing: String(text[..<slash])) else { throw .notANetwork(text) }
    let widest = base.isV4 ? 32 : 128
    var bits = widest
    if slash < text.endIndex {
      let digits = text[text.utf8.index(after: slash)...]
      guard digits.utf8.allSatisfy(Ascii.isDigit), let given = Int(digits), given <= widest else {
        throw .badPrefix(String(digits), widest: widest)
      }
      bits = given
    }
    let prefixBits = bits + 128 - widest
    let mask = Self.mask(prefixBits)
    let network = IPAddress(high: base.high & mask.high, low: base.low & mask.low)
    guard isLoose || network == base else { throw .bitsBeyondPrefix(text) }
    self = .network(base: network, prefixBits: prefixBits)
  }

  private static func mask(_ bits: Int) -> (high: UInt64, low: UInt64) {
    (high: bits >= 64 ? .max : ~(.max >> UInt64(bits)), low: bits <= 64 ? 0 : ~(.max >> UInt64(bits - 64)))
  }
}
