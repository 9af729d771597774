// The tables of a connection, cell by cell.
import Testing

@testable import Host

@Suite struct ConnectionTableTests {
  private static let states = """
    state         closed idle        readingHead readingBody calling   skipping  writing   lingering upgraded
    opened        idle   .           .           .           .         .         .         .         .
    begun         .      readingHead .           .           .         .         .         .         .
    rested        .      .           idle        .           .         .         .         .         .
    headRead      .      .           readingBody .           .         .         .         .         .
    called        .      .           .           calling     .         .         .         .         calling
    decided       .      .           .           .           readingBody .       .         .         .
    answered      .      .           idle        idle        idle      .         .         .         .
    answeredEarly .      .           skipping    skipping    skipping  .         .         .         .
    readOver      .      .           .           .           .         idle      .         .         .
    lastAnswer    .      writing     writing     writing     writing   writing   .         .         writing
    shut          .      lingering   lingering   lingering   lingering lingering lingering .         lingering
    upgraded      .      .           upgraded    upgraded    upgraded  .         .         .         .
    closed        .      closed      closed      closed      closed    closed    closed    closed    closed
    """

  @Test("what a connection does next is what the table says")
  func states() throws {
    let table = StateTable(ConnectionTableTests.states)
    try table.check { (state: Connection.State, event: Connection.Event) in state.after(event) }
  }

  @Test("the direction from the peer ends as the table says")
  func incoming() throws {
    let table = StateTable(
      """
      state       open        endReceived ended
      endReceived endReceived .           .
      peerEnded   ended       ended       .
      closed      .           open        open
      """)
    try table.check { (state: Connection.Incoming, event: Connection.Event) in state.after(event) }
  }

  @Test("the way to the peer ends as the table says")
  func way() throws {
    let table = StateTable(
      """
      state   open    blocked lost
      filled  blocked .       .
      drained .       open    .
      broke   lost    lost    .
      closed  .       open    open
      """)
    try table.check { (state: Outlet.Way, event: Outlet.Way.Event) in state.after(event) }
  }
}
