// Diagrams of the tables of states, as the docs have them.
import Foundation
import Testing

@testable import Host

/// Draws a part of a table, and holds a page to it. With UPDATE_DIAGRAMS in the environment the page is
/// written anew.
enum StateDiagram {
  /// The lines of a Mermaid diagram: an arrow for each pair of states, and the events that lead over it.
  ///
  /// - Parameter next: what an event makes of a state, and what the arrow says of that beside its name.
  static func lines<State: CaseIterable & Equatable, Event: CaseIterable & Equatable>(
    _ first: State, _ next: (State, Event) -> (state: State, note: String)
  ) -> [String] {
    var lines = ["stateDiagram-v2", "  [*] --> \(first)"]
    for from in State.allCases {
      for to in State.allCases where to != from {
        let events = Event.allCases.compactMap { event in
          let (state, note) = next(from, event)
          return state == to ? "\(event)\(note)" : nil
        }
        if !events.isEmpty { lines.append("  \(from) --> \(to): \(events.joined(separator: ", "))") }
      }
    }
    return lines
  }

  static let ofOwner = lines(ExchangeState.Owner.leader) { (owner, event: ExchangeState.Event) in
    (event == .ended ? owner : owner.after(event), "")
  }

  static let ofClient = lines(ExchangeState.Client.here) { (client, event: ExchangeState.Event) in
    (event == .ended ? client : client.after(event), "")
  }

  static let ofPhase = lines(ExchangeState.Phase.free) { (phase, event: ExchangeState.Event) in
    if event == .ended { return (phase, "") }
    let state = phase.after(event, .leader)
    let others = ExchangeState.Owner.allCases.filter { phase.after(event, $0) != state }
    return (state, others.map { " unless \($0)" }.joined())
  }

  static let ofConnection = lines(Connection.State.closed) { (state, event: Connection.Event) in
    (event == .closed ? state : state.after(event), "")
  }

  /// Compares the block of a page that follows the line `<!-- diagram: NAME -->`.
  static func check(_ path: String, named name: String, _ diagram: [String]) throws {
    let text = try String(contentsOfFile: path, encoding: .utf8)
    var page = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    let mark = try #require(page.firstIndex(of: "<!-- diagram: \(name) -->"), "\(path) has no \(name)")
    let start = mark + 2
    try #require(page[mark + 1] == "```mermaid")
    let end = try #require(page[start...].firstIndex(of: "```"))
    if ProcessInfo.processInfo.environment["UPDATE_DIAGRAMS"] != nil {
      page.replaceSubrange(start..<end, with: diagram)
      return try page.joined(separator: "\n").write(toFile: path, atomically: true, encoding: .utf8)
    }
    #expect(
      Array(page[start..<end]) == diagram,
      "\(path) does not draw the table of \(name); use: UPDATE_DIAGRAMS=1 make test FILTER=ExchangeStateTests"
    )
  }
}
