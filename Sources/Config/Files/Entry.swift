// One key of a configuration with its value, before anything of it is an option: the unit that files of every
// format are read into.

/// Whose words a section holds.
enum Dialect: Sendable, Equatable {
  /// `[server]`: what is no option is a mistake.
  case server
  /// `[uwsgi]`: uWSGI's names, meanings and defaults; a key that is no option is a variable of the file.
  case uwsgi
}

/// One key with its value, as a file has it.
struct Entry: Sendable {
  let key: String
  /// Nil for a key that stands alone.
  var value: String?
  let origin: Origin
  let dialect: Dialect

  /// The entry quoted as it was written, with its place.
  var place: String { Occurrence.place(origin == .commandLine ? "--" + key : key, value, origin) }
}

/// What uWSGI or gunicorn does with a line of a configuration and this server does not.
struct Loss: Equatable {
  /// The line as it was written.
  let place: String
  /// What is lost, and what to use.
  let sentence: String

  /// One sentence for each kind of loss, with all of its lines before it.
  static func sentences(_ losses: [Loss]) -> [String] {
    var told: [(sentence: String, places: [String])] = []
    for loss in losses {
      if let known = told.firstIndex(where: { $0.sentence == loss.sentence }) {
        told[known].places.append(loss.place)
      } else {
        told.append((loss.sentence, [loss.place]))
      }
    }
    return told.map { "\($0.places.joined(separator: ", ")): \($0.sentence)" }
  }
}

/// What is found while a configuration is read, beside its options.
struct Findings {
  /// Why the server does not start: all of it, in the order in which it was found.
  var problems: [ConfigError] = []
  /// Sentences for the operator of a server that starts.
  var warnings: [String] = []
  /// Sentences about what uWSGI does with the configuration and this server does not: they end the start when
  /// it is to be strict.
  var losses: [Loss] = []
  /// Something of uWSGI's was read: a section of its own, or a variable.
  var speaksUWSGI = false

  /// Adds what another part of the reading has found.
  mutating func add(_ others: Findings) {
    problems += others.problems
    warnings += others.warnings
    losses += others.losses
    speaksUWSGI = speaksUWSGI || others.speaksUWSGI
  }
}
