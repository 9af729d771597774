// Plays the kernel around a piece of a test.
import Support
import Testing

@testable import Host

/// Runs `body` while the next calls of a kind go as written.
///
/// - Returns: how many steps were not played.
@discardableResult
func playing<Answer>(
  _ call: SystemScript.Call, _ steps: [SystemScript.Step], _ body: () throws -> Answer
) throws -> (answer: Answer, left: Int) {
  SystemScript.play(call, steps)
  do {
    let answer = try body()
    return (answer, SystemScript.finish())
  } catch {
    _ = SystemScript.finish()
    throw error
  }
}
