// Tables of states as a test writes them down.
import Testing

/// A row an event: its name, and a cell for each state, which the first row names. "." stays; "name" becomes
/// that; "/action" asks for one, and without it nothing else is to be done. Events without a row change
/// nothing.
struct StateTable {
  private let rows: [String: [String]]

  init(_ text: String) {
    var rows: [String: [String]] = [:]
    for line in text.split(separator: "\n") {
      let cells = line.split(separator: " ").map(String.init)
      rows[cells[0]] = Array(cells.dropFirst())
    }
    self.rows = rows
  }

  /// What the table says that a state becomes, and what is to be done about it.
  func cell(_ event: String, _ state: String) throws -> (state: String, action: String) {
    let place = try #require(rows["state"]?.firstIndex(of: state))
    guard let row = rows[event] else { return (state, "goOn") }
    try #require(row.count == rows["state"]?.count, "\(event) has not a cell for each state")
    let pieces = row[place].split(separator: "/").map(String.init)
    return (pieces[0] == "." ? state : pieces[0], pieces.count > 1 ? pieces[1] : "goOn")
  }

  /// Compares every cell with what `next` makes of it.
  func check<State: CaseIterable, Event: CaseIterable>(_ next: (State, Event) -> State) throws {
    for state in State.allCases {
      for event in Event.allCases {
        let expected = try cell("\(event)", "\(state)").state
        #expect("\(next(state, event))" == expected, "\(state) by \(event)")
      }
    }
  }
}
