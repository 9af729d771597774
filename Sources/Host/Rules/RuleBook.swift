import Config
import Synchronization
import Wire

/// The rules of a worker, with the data that they look up. Belongs to the leader, but for the settings and
/// `admitsLine`, which are for the owners of exchanges too.
final class RuleBook {
  let settings: RuleSettings
  /// Some of them are about answers.
  let concernAnswers: Bool
  private let limits: Limits
  private var files: [String: AccountFile] = [:]
  /// Monotonic nanoseconds: no line of `admitsLine` before this time. For any thread.
  private let nextLine = Atomic<UInt64>(0)
  /// Passwords that are checked beside the loop.
  let questions: PasswordQuestions

  init(_ settings: RuleSettings, _ limits: Limits) {
    (self.settings, self.limits) = (settings, limits)
    concernAnswers = !settings.answerRules.isEmpty
    questions = PasswordQuestions(limit: limits.waitingPasswords)
  }

  /// Throws if files that rules name cannot be read; called before a worker serves.
  static func check(_ settings: Settings) throws(ServerFailure) {
    _ = try ErrorPages(settings)
    for rule in settings.rules.rules {
      guard case .authenticate(_, .file(let path), _) = rule.action else { continue }
      guard PasswordHash.isAvailable else {
        throw ServerFailure("basicauth needs libcrypt.so.1, which is not here; install libcrypt1")
      }
      let file = AccountFile(path, limit: settings.limits.accountFileBytes)
      if let problem = file.read() { throw ServerFailure("\(problem); correct \(path), or basicauth") }
      if let warning = file.warning, !settings.isCGI { Server.announce(warning) }
    }
  }

  /// Whether a name and a password are right.
  func verdict(of credentials: Credentials, _ accounts: RuleAccounts, _ log: Log) -> PasswordVerdict {
    switch accounts {
    case .nobody: return .refused
    case .one(let user, let password):
      // Compares both, whatever the first result.
      let isUser = Secret.equal(credentials.user, Array(user.utf8))
      return Secret.equal(credentials.password, Array(password.utf8)) && isUser ? .admitted : .refused
    case .file(let path):
      let file = files[path] ?? AccountFile(path, limit: limits.accountFileBytes)
      files[path] = file
      if let problem = file.readIfChanged() { log.error(problem) }
      return file.verdict(of: credentials)
    }
  }

  /// Any thread: whether a line that clients could cause may be written at `now`, in monotonic nanoseconds;
  /// one a second.
  func admitsLine(at now: UInt64) -> Bool {
    let next = nextLine.load(ordering: .relaxed)
    guard now >= next else { return false }
    let isFirst = nextLine.compareExchange(
      expected: next, desired: now &+ LinePace.period, ordering: .relaxed
    ).exchanged
    return isFirst
  }

  /// A password was right: it is not checked again while its account stays unchanged.
  func learn(_ question: PasswordQuestion) { files[question.path]?.learn(question) }
}

/// A name and a password of a request (RFC 7617).
struct Credentials {
  let user: [UInt8]
  let password: [UInt8]

  /// Reads the value of Authorization; nil for another scheme, and for a value that cannot be anybody's
  /// password.
  init?(_ header: UnsafeRawBufferPointer) {
    guard header.count > 6, Ascii.matches(UnsafeRawBufferPointer(rebasing: header[..<6]), "basic "),
      let text = Base64.decode(UnsafeRawBufferPointer(rebasing: header[6...].drop { $0 == 0x20 })),
      let colon = text.firstIndex(of: 0x3a), !text.contains(0)
    else { return nil }
    (user, password) = (Array(text[..<colon]), Array(text[(colon + 1)...]))
  }
}

/// Comparisons whose time does not reveal where the texts differ.
enum Secret {
  /// Whether they are equal; the time depends only on the first one's length.
  @inline(never)
  static func equal(_ given: [UInt8], _ wanted: [UInt8]) -> Bool {
    var difference: UInt8 = given.count == wanted.count ? 0 : 1
    for index in given.indices {
      difference |= given[index] ^ (wanted.isEmpty ? 0 : wanted[index % wanted.count])
    }
    return difference == 0
  }
}
