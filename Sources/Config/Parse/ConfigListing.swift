// The configuration in effect, as an ini file that gives the same configuration when read again.

enum ConfigListing {
  /// Each option in effect with its origin; options that have a default and were not given follow as
  /// comments.
  static func text(of options: [Occurrence]) -> String {
    var lines = ["[server]"]
    for (index, option) in options.enumerated() {
      let spec = option.spec
      if !spec.repeats, options[(index + 1)...].contains(where: { $0.index == option.index }) { continue }
      let value: String
      switch spec.shape {
      case .flag: value = option.value ?? "true"
      case .value: value = option.value ?? ""
      case .optionalValue(_, let bare, _): value = option.value ?? bare
      case .configuration, .variable, .action: continue
      }
      if let origin = origin(of: option) { lines.append("; \(origin)") }
      lines.append("\(spec.name) = \(ConfigText.escaped(value))")
    }
    for (index, spec) in OptionTable.all.enumerated() {
      guard let defaultText = spec.defaultText, !options.contains(where: { $0.index == index }) else {
        continue
      }
      lines.append("; \(spec.name) = \(defaultText)")
    }
    return lines.joined(separator: "\n")
  }

  /// One line that says what would be served where.
  static func verdict(on settings: Settings) -> String {
    let apps = settings.apps.count == 1 ? "1 app" : "\(settings.apps.count) apps"
    if settings.isCGI { return "the configuration is good: \(apps), one request by CGI" }
    let sockets = settings.listeners.count == 1 ? "1 socket" : "\(settings.listeners.count) sockets"
    let inherited = settings.listeners.isEmpty ? "inherited sockets" : sockets
    return "the configuration is good: \(apps), \(inherited)"
  }

  private static func origin(of option: Occurrence) -> String? {
    switch option.origin {
    case .commandLine: nil
    case .environment: "from \(option.written)"
    case .ini(let file, let line): "from \(file):\(line)"
    }
  }
}
