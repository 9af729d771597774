import Control
import Glibc

/// The process that becomes a new master, from a program that this server does not know yet. Until the
/// program has shown that it is a server, which keeps its own deadlines, it ends with the previous master: it
/// holds the sockets, and clients would wait for nobody.
public enum HeirRole {
  /// Becomes the program, which is the first of the words; returns the exit code if that fails.
  public static func run(_ words: [String]) -> Int32 {
    guard let program = words.first else { return 1 }
    System.dieWithParent()
    if System.isHungUp(HandedDescriptor.control) { return 1 }
    let error = System.become(program, ["server"] + words.dropFirst())
    let reason = Message.reason("\(program) cannot be started (\(error.reason))")
    ControlLink(fd: HandedDescriptor.control).send(Message(.failed, [reason, .init("code", "1")]))
    return 1
  }

  /// It is a server: it decides itself what to do when the previous master dies.
  public static func outlive() { System.outliveParent() }
}
