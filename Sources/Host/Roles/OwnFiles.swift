import Config

/// The names that a server makes for others to find: its socket files and its pid file. They are removed when
/// it ends, even if it has become a user who may not remove them: a small process keeps the right to, and
/// waits.
struct OwnFiles {
  private let listeners: [Listener]
  private let pidFile: String?
  /// The process that removes them; nil: this one does.
  private let remover: Int32?

  /// Writes the pid file; the sockets exist already.
  ///
  /// - Parameter identity: the user that this process is about to become.
  init(
    _ listeners: [Listener], _ settings: ProcessSettings, for identity: Identity? = nil
  ) throws(ServerFailure) {
    do throws(ServerFailure) { try ProcessSetup.writePID(settings) } catch {
      for listener in listeners { listener.removeFile() }
      throw error
    }
    (self.listeners, pidFile) = (listeners, settings.pidFile)
    let paths = listeners.compactMap(\.file) + (settings.pidFile.map { [$0] } ?? [])
    guard identity?.user != nil, !paths.isEmpty else {
      remover = nil
      return
    }
    do { remover = try System.startRemover(paths) } catch {
      remover = nil
      Log.shared.warning("\(paths.joined(separator: ", ")) will stay at the end: \(error)")
    }
  }

  /// Removes them at the end of the server.
  func remove() {
    if let remover { return System.finishRemover(remover) }
    for listener in listeners { listener.removeFile() }
    if let pidFile { try? System.unlinkGuarded(pidFile) }
  }
}
