import Wire

/// A file of accounts, as Apache's htpasswd writes it: `user:hash` lines. Reread when it has changed.
final class AccountFile {
  private let path: String
  private let limit: Int
  private var accounts: [[UInt8]: String] = [:]
  /// Passwords that were right, with the hash that confirmed them: a browser sends its password with each
  /// request.
  private var known: [[UInt8]: (hash: String, password: [UInt8])] = [:]
  private var version: FileVersion?
  /// The hash that an unknown name is compared with: the one that takes longest.
  private var decoy: String?
  /// The file has changed since it was read, and could not be reread.
  private var isBroken = false
  /// A problem with it that is no reason not to use it; nil for none.
  var warning: String? {
    guard Set(accounts.values.map(PasswordHash.work)).count > 1 else { return nil }
    return
      "the hashes in \(path) take different times, by which strangers tell names that have an account from "
      + "others; write them anew at one cost, as htpasswd -B -C 10 does"
  }

  init(_ path: String, limit: Int) { (self.path, self.limit) = (path, limit) }

  /// Reads it; returns what is wrong with it, nil if nothing is. An unreadable file, or an unreadable line,
  /// gives nobody an account.
  func read() -> String? {
    version = System.fileVersion(path)
    (accounts, known) = ([:], [:])
    var lines: [[UInt8]: Int] = [:]
    guard version?.kind == .regular, let bytes = System.bytes(of: path, most: limit) else {
      return "the accounts in \(path) cannot be read"
    }
    var problem: String?
    for (index, line) in bytes.split(separator: 0x0a, omittingEmptySubsequences: false).enumerated() {
      let line = line.last == 0x0d ? line.dropLast() : line
      if line.isEmpty || line.first == UInt8(ascii: "#") { continue }
      guard let colon = line.firstIndex(of: 0x3a) else {
        problem = problem ?? "line \(index + 1) of \(path) is not user:hash"
        continue
      }
      let hash = String(decoding: line[(colon + 1)...], as: UTF8.self)
      if let reason = PasswordHash.problem(hash) {
        problem = problem ?? "line \(index + 1) of \(path): \(reason)"
        continue
      }
      let user = Array(line[..<colon])
      if let other = lines[user] {
        problem = problem ?? "line \(index + 1) of \(path) is for the same account as line \(other)"
        continue
      }
      (accounts[user], lines[user]) = (hash, index + 1)
    }
    decoy = accounts.values.max { PasswordHash.work($0) < PasswordHash.work($1) }
    return problem
  }

  /// Rereads it if it has changed.
  func readIfChanged() -> String? {
    let now = System.fileVersion(path)
    guard version == nil || now != version else { return nil }
    if now == nil, isBroken { return nil }
    isBroken = now == nil
    return read()
  }

  /// The file's verdict on an account. An unknown one costs as much time as an existing one.
  func verdict(of credentials: Credentials) -> PasswordVerdict {
    let (user, password) = (credentials.user, credentials.password)
    guard let hash = accounts[user] else {
      return decoy.map { .asks(PasswordQuestion(path, user, password, hash: $0, isDecoy: true)) } ?? .refused
    }
    if let last = known[user], last.hash == hash, Secret.equal(password, last.password) { return .admitted }
    return .asks(PasswordQuestion(path, user, password, hash: hash, isDecoy: false))
  }

  /// A password was right; the account may have changed by now.
  func learn(_ question: PasswordQuestion) {
    guard accounts[question.user] == question.hash else { return }
    known[question.user] = (question.hash, question.password)
  }
}

/// Password hashes in the formats of crypt(5).
enum PasswordHash {
  /// The library that computes them is available.
  static var isAvailable: Bool { PasswordLibrary.shared != nil }

  /// Whether a password matches a hash.
  static func matches(_ password: [UInt8], _ hash: String) -> Bool {
    guard let made = PasswordLibrary.shared?.hash(password, like: hash) else { return false }
    return Secret.equal(made, Array(hash.utf8))
  }

  /// Why a hash is refused; nil if it is accepted. A slow one keeps others waiting: its cost is bounded.
  static func problem(_ hash: String) -> String? {
    let parts = hash.split(separator: "$", omittingEmptySubsequences: false)
    // DES looks at eight characters of a password, so anything may follow them.
    guard parts.count > 2, parts[0].isEmpty else { return unknown }
    switch parts[1] {
    case "1": return nil
    case "y", "gy":
      return memoryWork(parts[2]).map { $0 <= mostMemoryWork } == true
        ? nil : "more work than mkpasswd -m yescrypt asks for by itself (j9T)"
    case "5", "6":
      guard parts[2].hasPrefix("rounds=") else { return nil }
      return Int(parts[2].dropFirst(7)).map { $0 <= mostRounds } == true
        ? nil : "more rounds than \(mostRounds)"
    case "2a", "2b", "2y":
      return Int(parts[2]).map { $0 <= mostCost } == true
        ? nil : "a cost above \(mostCost); use htpasswd -B -C \(mostCost)"
    default: return unknown
    }
  }

  /// About how long a hash takes, in comparison with others.
  static func work(_ hash: String) -> Int {
    let parts = hash.split(separator: "$", omittingEmptySubsequences: false)
    guard parts.count > 2 else { return 0 }
    switch parts[1] {
    case "y", "gy": return (memoryWork(parts[2]) ?? 0) / 4
    case "5", "6": return parts[2].hasPrefix("rounds=") ? Int(parts[2].dropFirst(7)) ?? 0 : 5000
    case "2a", "2b", "2y": return Int(parts[2]).map { 1 << min(30, $0 + 7) } ?? 0
    default: return 1
    }
  }

  /// Blocks of memory times their size, by the letters of a yescrypt hash (crypt(5)): flavour, N and r. Nil
  /// for other parameters, which need more.
  private static func memoryWork(_ letters: Substring) -> Int? {
    let digits = Array("./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
    let letters = Array(letters)
    guard letters.count == 3, letters[0] == "j", let size = digits.firstIndex(of: letters[2]),
      let count = digits.firstIndex(of: letters[1]), count <= 20
    else { return nil }
    return (size + 1) << (count + 1)
  }

  /// That of `j9T`.
  private static let mostMemoryWork = memoryWork("j9T")!
  private static let unknown = "a hash that is not known here; write it anew with htpasswd -B"
  private static let (mostCost, mostRounds) = (10, 100_000)
}
