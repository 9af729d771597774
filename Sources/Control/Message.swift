/// What master, workers and the children that stage a build tell each other: one message per packet, a verb
/// and named values as text. Both ends are the same executable, so the form needs no versions.
public struct Message: Equatable, Sendable {
  /// The subject of the message.
  public enum Verb: String, Sendable, CaseIterable {
    // From a worker.
    /// It has loaded everything and accepts.
    case ready
    /// It cannot start: `reason`, `code` (the exit code that follows).
    case failed
    /// It asks to be replaced: `reason`.
    case expired
    /// An application asks for a reload of all: `reason`.
    case renew
    /// It no longer accepts; its requests are still answered. From a master to the next one: the server is
    /// yours.
    case retiring
    /// `app`'s state is written into the file that came with `save`: `bytes`, or -1 for none.
    case saved
    /// `app` runs `generation` now.
    case swapped
    /// `app` still runs its previous build, not `generation`: `reason`, `full` ("1": a new process can help).
    case refused
    /// Its sockets present the certificates of `number` from now on.
    case presents
    /// They do not: `number`, `reason`.
    case declined
    /// The scoreboard shows what long requests are doing.
    case traced
    /// It was forked: the kernel says which process it is.
    case forked
    /// An application of it has asked for WebSockets: what is published there may be for the sockets of other
    /// workers, so it should be introduced to them.
    case topics
    /// The heads that it remembers are written into the file that came with `recall`.
    case recalled
    // From a zygote, beside `ready` and `failed`.
    /// Nothing can be preloaded here: each worker loads its own.
    case idle
    // From the process that distributes lines.
    /// How many lines nobody has taken since its start: `count`.
    case lost
    // From a staging child, about `app`, or from a worker.
    /// The libraries that the process has loaded: `library`, repeated (LibraryReport).
    case loaded
    // From a staging child.
    /// Its current step: `step`, and `app` by its place.
    case step
    /// A private copy is filled: `same` ("1" if it equals the current one), `build`.
    case copied
    /// The build may be put to work: `name`, `version`, `unloadable`.
    case passed
    /// The certificates of its orders may be put to work.
    case certified
    // From a child that replays requests.
    /// An application's answers are compared: `app`, and the fields of a `ReplayReport`.
    case replayed
    /// They cannot be compared, which says nothing about the new build: `reason`.
    case unreplayed
    // From a child that reads the configuration.
    /// The configuration, as the options in effect: `option`, repeated; several such messages add up. So do
    /// `file` and `text`, files that workers may not read themselves.
    case configured
    // From the master.
    /// Finish running requests and leave; others go on accepting.
    case retire
    /// The server stops: finish running requests, including the backlog, and leave.
    case stop
    /// Leave at once.
    case quit
    /// Connections wait in a backlog although workers are free: look again.
    case rouse
    /// The attached descriptor is one end of a socket; `worker` has the other one: its title.
    case introduce
    /// Turn the loop once: a worker that waits for clients shows that it does not hang. The process that
    /// distributes lines answers with the same.
    case beat
    /// Session tickets have other keys: `ticket`, repeated, newest first.
    case tickets
    /// TLS sockets should present others: `number`, `ticket` as above; an attached file holds a message of
    /// the same verb with `file` and `text` as in orders.
    case certificates
    /// The server will stop soon: tell load balancers, and go on serving.
    case unready
    /// Show on the scoreboard what long requests are doing.
    case trace
    /// The log file was reopened, and is attached: it replaces `standard`, which is 1 or 2.
    case reopen
    /// Write the state of `app` into the attached file.
    case save
    /// Put `generation` of `app` at `path` to work in place of what runs.
    case swap
    /// Remember the heads of the last safe requests of each application: `count` of them, 0: none any more;
    /// `credentials` ("1": those with credentials too).
    case remember
    /// Write them into the attached file.
    case recall
    /// From a child that replays requests: the attached descriptor is a connection, to be served like one of
    /// the first socket.
    case attend
    /// To a zygote: fork a worker, whose descriptors from 1 on are attached; `word`, repeated: its title in
    /// process lists.
    case fork
    /// All running programs: `program`, repeated, the leader of a session and the signal that ends it.
    case keep
    /// What the worker or child has to do; its first message.
    case orders
  }

  /// A named value; neither part holds a NUL.
  public struct Field: Equatable, Sendable {
    /// Its name.
    public let name: String
    /// Its value as text.
    public let value: String

    /// A field.
    public init(_ name: String, _ value: String) { (self.name, self.value) = (name, value) }
  }

  /// The subject of the message.
  public let verb: Verb
  /// The values, in order; a name may be repeated.
  public var fields: [Field]

  /// A message.
  public init(_ verb: Verb, _ fields: [Field] = []) { (self.verb, self.fields) = (verb, fields) }

  /// The first value of a name; nil if there is none.
  public subscript(name: String) -> String? { fields.first { $0.name == name }?.value }

  /// All values of a name, in order.
  public func all(_ name: String) -> [String] { fields.filter { $0.name == name }.map(\.value) }

  /// A value that is a number; nil if there is none, or it is not a number.
  public func number(_ name: String) -> Int? { self[name].flatMap { Int($0) } }

  /// The message as bytes: the verb, then name=value, each ended by a NUL. NULs in a value are dropped: no
  /// text of ours has any.
  public var bytes: [UInt8] {
    var result = Array(verb.rawValue.utf8) + [0]
    for field in fields {
      result += field.name.utf8.filter { $0 != 0 }
      result.append(UInt8(ascii: "="))
      result += field.value.utf8.filter { $0 != 0 }
      result.append(0)
    }
    return result
  }

  /// Reads what `bytes` wrote; nil for anything else.
  public init?(_ bytes: some Sequence<UInt8>) {
    let parts = Array(bytes).split(separator: 0, omittingEmptySubsequences: true)
    guard let first = parts.first, let verb = Verb(rawValue: String(decoding: first, as: UTF8.self)) else {
      return nil
    }
    var fields: [Field] = []
    for part in parts.dropFirst() {
      guard let equals = part.firstIndex(of: UInt8(ascii: "=")) else { return nil }
      fields.append(
        Field(
          String(decoding: part[..<equals], as: UTF8.self),
          String(decoding: part[(equals + 1)...], as: UTF8.self)))
    }
    self.init(verb, fields)
  }
}
