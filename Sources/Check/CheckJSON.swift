import Control
import Host

/// The report for programs (RFC 8259): every member is always present, null if unknown.
extension CheckReport {
  /// One object on one line, without a line end.
  public var json: String {
    JSON.object([
      ("file", .text(reference.path)),
      ("good", .flag(isGood)),
      ("loaded", .flag(isLoaded)),
      ("reason", .text(reason)),
      (
        "format",
        image.map {
          .object([
            ("kind", .text("ELF shared library")), ("machine", .text(Self.machine)),
            ("language", .text(language)), ("soname", .text($0.soname)),
          ])
        } ?? .null
      ),
      ("size", image == nil ? .null : .number("\(size)")),
      ("build_id", .text(image?.buildID)),
      ("needed", .list((image?.needed ?? []).map { .text($0) })),
      (
        "libraries",
        .list(
          libraries.map { library in
            .object([
              ("name", .text(library.name)), ("file", .text(library.file)), ("for", .text(library.user)),
            ])
          })
      ),
      (
        "entry",
        symbol.map {
          .object([
            ("symbol", .text($0)), ("form", .text(isPlain ? "plain" : "full")),
          ])
        } ?? .null
      ),
      ("interface", .object([("app", .text(needs)), ("host", .text(Self.offered))])),
      ("name", .text(facts[.name])),
      ("version", .text(facts[.version])),
      ("flags", .list(promises.map { .text($0) })),
      (
        "unloading",
        unloading.flatMap {
          image == nil
            ? nil
            : .object([
              ("possible", .flag($0.isPossible)), ("why", .text($0.why)),
            ])
        } ?? .null
      ),
      ("load_ms", Self.time(microseconds(.load))),
      ("probe_ms", Self.time(microseconds(.probe))),
      ("breakdown", breakdownJSON),
      ("exercise", steps.isEmpty ? .null : exerciseJSON),
    ]).text
  }

  private static func time(_ microseconds: UInt64?) -> JSON {
    microseconds.map { .number(String(milliseconds($0).dropLast(3))) } ?? .null
  }

  private var breakdownJSON: JSON {
    guard let breakdown else { return .null }
    let place = ("where", JSON.text(stage?.word))
    return switch breakdown {
    case .crashed(let signal): .object([("kind", .text("crash")), ("signal", .text(signal)), place])
    case .exited(let code): .object([("kind", .text("exit")), ("code", .number("\(code)")), place])
    case .hung(let seconds): .object([("kind", .text("hang")), ("seconds", .number("\(seconds)")), place])
    }
  }

  private var exerciseJSON: JSON {
    let list = steps.map { step in
      JSON.object([
        ("name", .text(step.name)), ("outcome", .text(step.outcome)),
        ("violations", .list(step.violations.map { .text($0) })),
      ])
    }
    return .object([("violations", .number("\(violationCount)")), ("steps", .list(list))])
  }
}

/// A JSON value, as far as reports need it.
enum JSON {
  case null
  case flag(Bool)
  /// Written unchanged.
  case number(String)
  case string(String)
  case list([JSON])
  case object([(String, JSON)])

  /// A string, or null.
  static func text(_ text: String?) -> JSON { text.map { .string($0) } ?? .null }

  /// The value as JSON text.
  var text: String {
    switch self {
    case .null: "null"
    case .flag(let value): value ? "true" : "false"
    case .number(let text): text
    case .string(let text): Printable.json(text)
    case .list(let values): "[" + values.map(\.text).joined(separator: ",") + "]"
    case .object(let members):
      "{" + members.map { Printable.json($0.0) + ":" + $0.1.text }.joined(separator: ",") + "}"
    }
  }
}
