import Foundation
import Support
import Testing

/// Everything about masters, workers and swaps; one after the other, for each test has a load of its own.
@Suite(.serialized) enum Swaps {
  /// Swaps of the ledger test; `make swap-proof` says how many.
  static let count = ProcessInfo.processInfo.environment["SWAPS"].flatMap { Int($0) }
  /// The long form of `make swap-proof`, which takes minutes.
  static let isProof = count != nil
}

/// The apps that are swapped.
enum Fixture {
  /// A build of Tests/Fixtures/apps/ledger.c.
  static func ledger(_ defines: String...) throws -> String { try ledger(defines) }

  /// The same.
  static func ledger(_ defines: [String]) throws -> String {
    try FixtureApp.path("ledger", defines: defines)
  }

  /// Build A, that every test begins with.
  static var good: String { get throws { try ledger("LETTER='A'") } }
  /// Another good build.
  static var better: String { get throws { try ledger("LETTER='B'") } }
}
