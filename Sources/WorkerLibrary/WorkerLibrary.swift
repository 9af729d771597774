// The worker as a library: for a program that is not the server's own, such as an interpreter's.
import CWorker
import Host

/// Does what the master's orders say, in a process that has become another program, and ends it.
@c(nsgi_worker_serve) public func serve() {
  Server.resetSignals()
  guard let assignment = Assignment.take() else {
    Server.announce("the worker library is loaded by a server only")
    Server.leave(1)
  }
  do {
    let settings = try assignment.settings { path in
      throw ServerFailure("\(path) is not read a second time")
    }
    try Server.serveAsGuest(settings, assignment)
  } catch { Server.leave(assignment.fail(error)) }
}
