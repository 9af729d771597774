import Control
import Synchronization

/// Whether this worker should be introduced to the others: as soon as it serves, and an application has asked
/// for WebSockets. A server without any has no links.
enum Sociability {
  /// What has to come together, in any order.
  enum Half: UInt8 {
    case hasSockets = 1
    case serves = 2
  }

  private static let halves = Atomic<UInt8>(0)

  /// Any thread: notes one of them; the last one makes the worker ask.
  static func note(_ half: Half) {
    let (before, after) = halves.bitwiseOr(half.rawValue, ordering: .acquiringAndReleasing)
    let both = Half.hasSockets.rawValue | Half.serves.rawValue
    guard before != after, after == both, !ForkedCopy.isThis else { return }
    Extensions.master?.send(Message(.topics))
  }
}
