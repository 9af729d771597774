// The table of an exchange's states, cell by cell, and the diagrams of it in the docs.
import Foundation
import Support
import Testing

@testable import Host

@Suite struct ExchangeStateTests {
  private typealias State = ExchangeState
  private typealias Event = ExchangeState.Event

  private static let states = State.Owner.allCases.flatMap { owner in
    State.Client.allCases.flatMap { client in State.Phase.allCases.map { State(owner, client, $0) } }
  }

  private static let owners = StateTable(
    """
    state     leader    app       host        detached         asynchronous     over
    called    app       .         .           .                .                .
    entered   ./refuse  host      ./tryAgain  ./takeLock       ./takeLock       ./refuse
    left      ./refuse  ./refuse  app         ./refuse         ./refuse         ./refuse
    overdue   ./refuse  detached/vacate ./refuse ./refuse      ./refuse         ./refuse
    leftLoop  ./refuse  ./refuse  detached/vacate ./refuse     ./refuse         ./refuse
    returned  ./refuse  leader/answer ./tryAgain ./answerOffLoop ./refuse       ./refuse
    wentAsync ./refuse  ./refuse  asynchronous/park asynchronous/park ./refuse  ./refuse
    settled   ./refuse  ./refuse  leader/answer ./refuse       ./refuse         ./refuse
    finished  ./refuse  ./remember ./remember ./remember       over/answerOffLoop ./refuse
    completed ./refuse  ./refuse  ./refuse    over/answerOffLoop ./refuse       ./refuse
    cameBack  .         .         .           .                .                leader
    ended     leader    leader    leader      leader           leader           leader
    """)

  private static let clients = StateTable(
    """
    state       here  lost  told     givenUp
    bodyBroke   lost  .     .        .
    clientLeft  told  told  .        .
    timeOver    told  told  .        .
    graceOver   .     .     givenUp  .
    ended       here  here  here     here
    """)

  private static let phases = StateTable(
    """
    state          free     reading   called      responding  finished  gone
    begun          reading  .         .           .           .         .
    called         .        called    .           .           .         .
    served         .        called    .           .           .         .
    aborted        .        finished  .           .           .         .
    headEncoded    .        .         responding  .           .         .
    answerEncoded  .        .         finished    finished    .         .
    cut            .        .         gone        gone        gone      .
    unsendable     .        .         gone        gone        gone      .
    timeOver       .        .         gone        gone        gone      .
    ended          free     free      free        free        free      free
    """)

  @Test("every state becomes by every event what the table says, and asks for what it says")
  func cells() throws {
    for state in Self.states {
      for event in Event.allCases {
        let owner = try Self.owners.cell("\(event)", "\(state.owner)")
        let client = try Self.clients.cell("\(event)", "\(state.client)")
        var phase = try Self.phases.cell("\(event)", "\(state.phase)")
        // Of one that is over all is said already.
        if event == .timeOver, state.owner == .over { phase.state = "\(state.phase)" }
        var action = owner.action
        switch event {
        case .clientLeft, .timeOver:
          action = state.client == .here || state.client == .lost ? "tell" : "goOn"
          if state.owner == .over { action = "goOn" }
        case .graceOver: action = state.client == .told && state.owner == .detached ? "giveUp" : "refuse"
        default: break
        }
        var found = state
        let asked = found.next(event)
        let line = "\(state) by \(event)"
        #expect("\(asked)" == action, "\(line): action")
        guard action != "refuse" else {
          #expect(found == state, "\(line) changes nothing")
          continue
        }
        #expect("\(found.owner)" == owner.state, "\(line): owner")
        #expect("\(found.client)" == client.state, "\(line): client")
        #expect("\(found.phase)" == phase.state, "\(line): phase")
      }
    }
  }

  @Test("the word that keeps a state does what the table says, also by way of a race")
  func word() {
    for event in Event.allCases {
      let word = ExchangeWord()
      var state = ExchangeState()
      for step in [Event.begun, .called, .entered, event] {
        #expect(word.next(step) == state.next(step), "\(step) before \(event)")
        #expect(ExchangeState(word.owner, word.client, word.phase) == state, "\(step) before \(event)")
      }
    }
    for event in [Event.entered, .overdue, .returned] {
      for likely in State.Owner.allCases where likely.action(for: event) != .tryAgain {
        let word = ExchangeWord()
        word.next(.called)
        #expect(word.race(event, likely: likely) == State.Owner.app.action(for: event), "\(event)")
        #expect(word.owner == State.Owner.app.after(event), "\(event)")
      }
    }
  }

  @Test("only the end of a request makes its record fit for another one")
  func ends() {
    for state in Self.states {
      for event in Event.allCases where event != .ended {
        var next = state
        _ = next.next(event)
        if state.phase != .free { #expect(next.phase != .free, "\(state) by \(event)") }
        if state.client != .here { #expect(next.client != .here, "\(state) by \(event)") }
        if state.phase == .gone { #expect(next.phase == .gone, "\(state) by \(event)") }
      }
      var end = state
      _ = end.next(.ended)
      #expect(end == ExchangeState(), "\(state)")
    }
  }

  @Test("an app is told at most once, and only while it can do something about it")
  func told() {
    for state in Self.states {
      for event in Event.allCases {
        var next = state
        guard next.next(event) == .tell else { continue }
        #expect(state.owner != .over)
        for again in [Event.clientLeft, .timeOver] {
          var later = next
          #expect(later.next(again) == .goOn, "\(next) by \(again)")
        }
      }
    }
  }

  @Test("docs/LIFE_OF_A_REQUEST.md draws the table")
  func diagrams() throws {
    let path = Repository.root + "/docs/LIFE_OF_A_REQUEST.md"
    try StateDiagram.check(path, named: "exchange owner", StateDiagram.ofOwner)
    try StateDiagram.check(path, named: "exchange phase", StateDiagram.ofPhase)
    try StateDiagram.check(path, named: "exchange client", StateDiagram.ofClient)
    try StateDiagram.check(path, named: "connection", StateDiagram.ofConnection)
  }
}
