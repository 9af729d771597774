// One key of a configuration with its value, before it becomes an option: the unit that files of every format
// are read into.

/// The dialect of a section.
enum Dialect: Sendable, Equatable {
  /// `[server]`: anything but an option is a mistake.
  case server
  /// `[uwsgi]`: uWSGI's names, meanings and defaults; a key that is not an option is a variable of the file.
  case uwsgi
}

/// One key with its value, as written in a file.
struct Entry: Sendable {
  let key: String
  /// Nil for a key without one.
  var value: String?
  let origin: Origin
  let dialect: Dialect

  /// The entry quoted as it was written, with its place.
  var place: String { Occurrence.place(origin == .commandLine ? "--" + key : key, value, origin) }
}

/// Something that uWSGI or gunicorn does with a configuration line, but this server does not.
struct Loss: Equatable {
  /// The line as it was written.
  let place: String
  /// What is lost, and what to use instead.
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

/// What is found while a configuration is read, besides its options.
struct Findings {
  /// All errors that prevent the start, in the order in which they were found.
  var problems: [ConfigError] = []
  /// Warnings to the operator of a server that starts.
  var warnings: [String] = []
  /// Sentences about what uWSGI does with the configuration, but this server does not: they end the start in
  /// strict mode.
  var losses: [Loss] = []
  /// Something in uWSGI's words was read: a section of its own, or a variable.
  var speaksUWSGI = false

  /// Adds the findings of another part of the reading.
  mutating func add(_ others: Findings) {
    problems += others.problems
    warnings += others.warnings
    losses += others.losses
    speaksUWSGI = speaksUWSGI || others.speaksUWSGI
  }
}
