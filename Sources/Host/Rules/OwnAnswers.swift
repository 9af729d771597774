import Config

/// The part of answering that needs no application, and what the server changes about the answers of
/// applications. Fixed from the worker's start.
struct OwnAnswers {
  /// Files that are served without an app; nil for none.
  let files: StaticFiles?
  /// Rules that apply before files and apps, or to answers; nil for none.
  let rules: RuleBook?
  /// Changes to the heads of answers.
  let edits: HeadEdits
  /// Some answers get fields, or lose some.
  let editsHeads: Bool
  /// For answers that the server itself gives.
  let pages: ErrorPages
  /// Some paths may be for files, rules or questions about the server.
  let exist: Bool

  init(_ settings: Settings, _ listeners: [Listener]) {
    let servesFiles = !settings.files.roots.isEmpty || settings.rules.servesFiles
    let hasRules = !settings.rules.rules.isEmpty
    let edits = HeadEdits(settings)
    files = servesFiles ? StaticFiles(settings.files, settings.limits) : nil
    rules = settings.rules.isEmpty ? nil : RuleBook(settings.rules, settings.limits)
    self.edits = edits
    editsHeads = rules != nil || !edits.isEmpty
    pages = (try? ErrorPages(settings)) ?? .none
    exist =
      servesFiles || hasRules || settings.watch.asksForHealth
      || listeners.contains { $0.spoken == .redirect }
  }
}
