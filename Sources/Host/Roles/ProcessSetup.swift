import Config
import Glibc

/// What the process becomes before it serves: umask, directory, user, pid file; and what it tells its
/// launcher.
enum ProcessSetup {
  /// Runs before the sockets are bound.
  static func begin(_ settings: ProcessSettings) {
    if let mask = settings.umask { System.setUmask(mask) }
  }

  /// Runs before any code of an app.
  static func tellCopiesApart() throws(ServerFailure) {
    do throws(SystemError) { try ForkedCopy.watch() } catch {
      throw ServerFailure("copies that an application makes of the process cannot be told (\(error))")
    }
  }

  /// Sets the title in process lists, if that is asked for.
  static func show(_ role: ProcessTitle.Role, _ settings: ProcessSettings) {
    if let title = settings.title.text(role) { System.setTitle(title) }
  }

  /// Writes the pid file, if one is asked for.
  static func writePID(_ settings: ProcessSettings) throws(ServerFailure) {
    if let path = settings.pidFile {
      do { try System.writeFile(path, "\(getpid())\n") } catch {
        throw ServerFailure(
          "the pid file \(path) cannot be written (\(System.guardedReason(error))); choose another --pidfile")
      }
    }
  }

  /// Sets up a process that runs apps: its processors and descriptors, its directory, its user.
  ///
  /// - Parameters:
  ///   - worker: its number, for its processors; nil for a process that does not serve.
  ///   - isFirst: it reports for the others; nil: the first worker does.
  static func enter(
    _ settings: ProcessSettings, worker: Int?, isFirst: Bool? = nil
  ) throws(ServerFailure) {
    if let mask = settings.umask { System.setUmask(mask) }
    if let count = settings.maxDescriptors {
      do {
        let bound = try System.limitDescriptors(count)
        if bound < count, isFirst ?? (worker == 0) {
          Server.announce(
            "max-fd is \(count), and the hard limit here is \(bound) open descriptors, which is in force; "
              + "raise the hard limit (ulimit -Hn, LimitNOFILE=), or lower --max-fd")
        }
      } catch {
        throw ServerFailure(
          "cannot raise the descriptor limit to \(count) (\(error.reason)); lower --max-fd, or raise the "
            + "hard limit")
      }
    }
    if let worker { try bound(settings, worker: worker) }
    if let directory = settings.directory {
      do { try System.changeDirectory(directory) } catch {
        throw ServerFailure("the directory \(directory) cannot be entered (\(error.reason)); correct --chdir")
      }
    }
    try Identity(settings)?.assume()
    if settings.forbidsPrivileges {
      do { try System.forbidPrivileges() } catch {
        throw ServerFailure("new privileges cannot be forbidden (\(error)); leave out --no-new-privs")
      }
    }
  }

  /// Sets the bounds of a worker only: its address space and its processors. A second call changes nothing.
  static func bound(_ settings: ProcessSettings, worker: Int) throws(ServerFailure) {
    if settings.addressSpaceBytes > 0 {
      do { try System.limitAddressSpace(settings.addressSpaceBytes) } catch {
        throw ServerFailure("the address space cannot be bounded (\(error.reason)); correct --limit-as")
      }
    }
    if settings.processorsPerWorker > 0 {
      do { try System.bindProcessors(place: worker, count: settings.processorsPerWorker) } catch {
        throw ServerFailure("the processors cannot be chosen (\(error.reason)); leave out --cpu-affinity")
      }
    }
  }

  /// A sanitizer has handlers of its own for crashes.
  static var isSanitized: Bool { System.isDefined("__asan_init") || System.isDefined("__tsan_init") }

  /// The warning of a server that runs its apps as root because no user was configured; nil for any other.
  static func warning(_ settings: ProcessSettings) -> String? {
    guard Identity.staysRoot(settings) else { return nil }
    return "apps run as root, with all its rights; name a user with --uid, or --uid root if that is meant"
  }

  /// Runs when the process ends.
  static func end(_ settings: ProcessSettings) {
    if let path = settings.pidFile { try? System.unlinkGuarded(path) }
  }

  /// Tells systemd (sd_notify(3)); nothing happens without NOTIFY_SOCKET.
  static func notify(_ state: String) {
    guard let name = System.environmentValue("NOTIFY_SOCKET") else { return }
    let address = SocketAddress(
      name.hasPrefix("@") ? .abstract(name: String(name.dropFirst())) : .unix(path: name))
    try? System.sendDatagram(state, to: address)
  }
}
