import Config
import Glibc

/// The user that processes that run apps become: `--uid` and `--gid`, looked up before anything is given up.
public struct Identity: Equatable, Sendable {
  /// The user; nil: unchanged.
  let user: UInt32?
  /// The group.
  public let group: UInt32
  /// Every supplementary group: those of the user, or just the group. Root's are never kept.
  let groups: Set<UInt32>
  /// For the environment: the user's name and home.
  let name: String
  let home: String

  /// The identity that the settings ask for; nil for none.
  init?(_ settings: ProcessSettings) throws(ServerFailure) {
    guard settings.user != nil || settings.group != nil else { return nil }
    let named = try settings.group.map { name throws(ServerFailure) in try Identity.group(name) }
    guard let wanted = settings.user else {
      (user, group, groups, name, home) = (nil, named!, [named!], "", "")
      return
    }
    let found = try Identity.account(wanted)
    guard let group = named ?? found.entry?.group else {
      throw ServerFailure(
        "user \(found.user) has no entry in the password database, which would name its group; "
          + "add --gid \(found.user), or the group that it shall have")
    }
    (user, self.group) = (found.user, group)
    groups = found.entry.map { System.groups(of: $0.name, with: group) } ?? [group]
    (name, home) = (found.entry?.name ?? "\(found.user)", found.entry?.home ?? "/")
  }

  /// The same for a process whose children will assume it; nil if the process has that identity itself.
  /// Throws if it cannot be assumed.
  static func ofChildren(_ settings: ProcessSettings) throws(ServerFailure) -> Identity? {
    guard let identity = try Identity(settings), !identity.isAssumed else { return nil }
    guard System.mayChangeUser else { throw identity.unavailable("this process is not root") }
    return identity
  }

  private func unavailable(_ reason: String) -> ServerFailure {
    ServerFailure(
      "the process cannot become \(self) (\(reason)); start it as root, or leave out --uid and --gid")
  }

  /// No user is named, and the process is root.
  static func staysRoot(_ settings: ProcessSettings) -> Bool {
    settings.user == nil && System.effectiveUser == 0
  }

  private static func account(_ text: String) throws(ServerFailure) -> (user: UInt32, entry: Account?) {
    guard let number = UInt32(text) else {
      if let entry = System.account(named: text) { return (entry.user, entry) }
      throw ServerFailure(
        "there is no user `\(text)`; correct --uid, or write a number and name its --gid too")
    }
    guard number != .max else { throw ServerFailure("\(number) is not a user's number; correct --uid") }
    return (number, System.account(of: number))
  }

  private static func group(_ text: String) throws(ServerFailure) -> UInt32 {
    let number = UInt32(text) ?? System.group(named: text)
    if let number, number != .max { return number }
    throw ServerFailure("there is no group `\(text)`; correct --gid, or write a number")
  }

  // MARK: Becoming

  /// Assumes it for good, and verifies that: groups first, while this process may still change them.
  func assume() throws(ServerFailure) {
    do throws(SystemError) {
      // A process that is that user already, for example by systemd's User=, need not be able to become it.
      if !isAssumed {
        try System.setGroups(groups)
        try System.setGroup(group)
        if let user { try System.setUser(user) }
      }
      if let user, user != 0 { try System.dropCapabilities() }
    } catch { throw unavailable("\(error)") }
    guard isAssumed, user == nil || user == 0 || !System.canBecomeRoot else {
      throw ServerFailure(
        "the process has not become \(self) whole: it has rights left that it should have given up; "
          + "start it as plain root, without securebits")
    }
    if let user { surround(user) }
  }

  /// The kernel says that the process is this user, with these groups and no others.
  private var isAssumed: Bool {
    guard let now = System.identity() else { return false }
    return (user.map { user in now.users.allSatisfy { $0 == user } } ?? true)
      && now.groups.allSatisfy { $0 == group } && now.supplementary.union([group]) == groups.union([group])
  }

  /// Sets what programs and libraries look up in the environment.
  private func surround(_ user: UInt32) {
    System.setEnvironment("HOME", home)
    System.setEnvironment("USER", name)
    System.setEnvironment("LOGNAME", name)
    let runtime = "/run/user/\(user)"
    System.setEnvironment("XDG_RUNTIME_DIR", System.owner(of: runtime) == user ? runtime : nil)
  }
}

extension Identity: CustomStringConvertible {
  /// "www-data:33".
  public var description: String { "\(user == nil ? "itself" : name):\(group)" }
}

/// An entry of the password database.
struct Account {
  let name: String
  let user: UInt32
  let group: UInt32
  let home: String
}
