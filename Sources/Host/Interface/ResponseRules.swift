import CNSGI

/// The order of an application's calls about its response (docs/NSGI.md §6): one table for the serving host
/// and for that of `check --exercise`.
package enum ResponseRules {
  /// How far a response has come, as its application knows it.
  package enum Stage: CaseIterable {
    /// No head was taken.
    case unstarted
    /// A head was taken, and nothing of the body.
    case started
    /// Bytes of the body were given, or the head has left.
    case writing
    /// respond() or trailers() was called.
    case complete
    /// The client is gone, or the response was cut.
    case gone
  }

  /// The functions; those that give bytes of the body count as one.
  package enum Call: CaseIterable { case start, reason, interim, respond, body, flush, trailers }

  package enum Verdict: Equatable {
    case allowed
    /// Before there is a head.
    case tooEarly
    /// After something that it would have to precede.
    case tooLate
    case gone

    /// The function's result, unless it goes on.
    package var code: Int32 { self == .gone ? NSGI_GONE.rawValue : NSGI_MISUSE.rawValue }
  }

  @inline(__always)
  package static func verdict(_ call: Call, in stage: Stage) -> Verdict {
    switch (stage, call) {
    case (.unstarted, .start), (.unstarted, .reason), (.unstarted, .respond): .allowed
    case (.unstarted, .interim): .allowed
    case (.unstarted, .body), (.unstarted, .flush), (.unstarted, .trailers): .tooEarly
    case (.started, .start), (.started, .reason), (.started, .respond): .allowed
    case (.started, .interim): .allowed
    case (.started, .body), (.started, .flush), (.started, .trailers): .allowed
    case (.writing, .start), (.writing, .reason), (.writing, .respond): .tooLate
    case (.writing, .interim): .tooLate
    case (.writing, .body), (.writing, .flush), (.writing, .trailers): .allowed
    case (.complete, .start), (.complete, .reason), (.complete, .respond): .tooLate
    case (.complete, .interim): .tooLate
    case (.complete, .body), (.complete, .flush), (.complete, .trailers): .tooLate
    case (.gone, .start), (.gone, .reason), (.gone, .respond): .gone
    case (.gone, .interim): .gone
    case (.gone, .body), (.gone, .flush), (.gone, .trailers): .gone
    }
  }
}

extension UnsafeMutablePointer where Pointee == Exchange {
  /// How far its response has come, as the app knows it.
  @inline(__always)
  var stage: ResponseRules.Stage {
    switch pointee.phase {
    case .called where pointee.isHeld: .writing
    case .called: pointee.response.status == 0 ? .unstarted : .started
    case .responding: .writing
    case .finished: .complete
    case .free, .reading, .gone: .gone
    }
  }

  /// Whether the app may make this call now.
  @inline(__always)
  func allows(_ call: ResponseRules.Call) -> Bool {
    ResponseRules.verdict(call, in: stage) == .allowed
  }
}
