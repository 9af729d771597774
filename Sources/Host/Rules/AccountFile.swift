import Wire

/// A file of accounts, as Apache's htpasswd writes it: `user:hash` lines. Read again when it has changed.
final class AccountFile {
  private let path: String
  private let limit: Int
  private var accounts: [[UInt8]: String] = [:]
  /// Passwords that were right, with the hash that said so: a browser sends its with each request.
  private var known: [[UInt8]: (hash: String, password: [UInt8])] = [:]
  private var version: FileVersion?
  /// What a name that is not here is compared with: the hash that takes longest.
  private var decoy: String?
  /// Another file has been looked at than the one that was read, and could not be read.
  private var isBroken = false

  init(_ path: String, limit: Int) { (self.path, self.limit) = (path, limit) }

  /// Reads it; what is wrong with it, nil for nothing. Nobody has an account in a file that cannot be read,
  /// nor with a line that cannot.
  func read() -> String? {
    version = System.fileVersion(path)
    (accounts, known) = ([:], [:])
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
      accounts[Array(line[..<colon])] = hash
    }
    decoy = accounts.values.max { PasswordHash.work($0) < PasswordHash.work($1) }
    return problem
  }

  /// The same where it is another one by now.
  func readIfChanged() -> String? {
    let now = System.fileVersion(path)
    guard version == nil || now != version else { return nil }
    if now == nil, isBroken { return nil }
    isBroken = now == nil
    return read()
  }

  /// What the file says of an account. One that is not there costs what one costs that is.
  func verdict(of credentials: Credentials) -> PasswordVerdict {
    let (user, password) = (credentials.user, credentials.password)
    guard let hash = accounts[user] else {
      return decoy.map { .asks(PasswordQuestion(path, user, password, hash: $0, isDecoy: true)) } ?? .refused
    }
    if let last = known[user], last.hash == hash, Secret.equal(password, last.password) { return .admitted }
    return .asks(PasswordQuestion(path, user, password, hash: hash, isDecoy: false))
  }

  /// A password was right; the account may be another one by now.
  func learn(_ question: PasswordQuestion) {
    guard accounts[question.user] == question.hash else { return }
    known[question.user] = (question.hash, question.password)
  }
}

/// Hashes of passwords as crypt(5) has them.
enum PasswordHash {
  /// The library that knows them is here.
  static var isAvailable: Bool { PasswordLibrary.shared != nil }

  /// Whether a password is the one of a hash.
  static func matches(_ password: [UInt8], _ hash: String) -> Bool {
    guard let made = PasswordLibrary.shared?.hash(password, like: hash) else { return false }
    return Secret.equal(made, Array(hash.utf8))
  }

  /// Why a hash is not taken; nil if it is. One that takes long keeps others waiting for theirs: its cost is
  /// bounded.
  static func problem(_ hash: String) -> String? {
    let parts = hash.split(separator: "$", omittingEmptySubsequences: false)
    // DES looks at eight characters of a password, and whatever follows them opens.
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
  /// for other parameters, which ask for more.
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
