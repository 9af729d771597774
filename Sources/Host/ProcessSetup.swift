import Config
import Glibc

/// What the process becomes before it serves: umask, directory, user, pid file; and what it tells its
/// launcher.
enum ProcessSetup {
  /// Before the sockets are bound.
  static func begin(_ settings: ProcessSettings) {
    if let mask = settings.umask { System.setUmask(mask) }
  }

  /// Before anything of an app runs.
  static func tellCopiesApart() throws(ServerFailure) {
    do throws(SystemError) { try ForkedCopy.watch() } catch {
      throw ServerFailure("copies that an application makes of the process cannot be told (\(error))")
    }
  }

  /// After the sockets are bound and before an app is loaded: the pid file, the directory, then the user.
  static func settle(_ settings: ProcessSettings) throws(ServerFailure) {
    try writePID(settings)
    try enter(settings, worker: 0)
  }

  /// The pid file, if one is asked for.
  static func writePID(_ settings: ProcessSettings) throws(ServerFailure) {
    if let path = settings.pidFile {
      do { try System.writeFile(path, "\(getpid())\n") } catch {
        throw ServerFailure(
          "the pid file \(path) cannot be written (\(error.reason)); choose another --pidfile")
      }
    }
  }

  /// What a process that runs apps becomes: its processors and descriptors, its directory, its user.
  ///
  /// - Parameter worker: its number, for its processors; nil for one that serves nobody.
  static func enter(_ settings: ProcessSettings, worker: Int?) throws(ServerFailure) {
    if let mask = settings.umask { System.setUmask(mask) }
    if let count = settings.maxDescriptors {
      do { try System.limitDescriptors(count) } catch {
        throw ServerFailure(
          "\(count) descriptors are not to be had (\(error.reason)); lower --max-fd, or raise the hard limit")
      }
    }
    if let worker, settings.processorsPerWorker > 0 {
      do { try System.bindProcessors(place: worker, count: settings.processorsPerWorker) } catch {
        throw ServerFailure("the processors cannot be chosen (\(error.reason)); leave out --cpu-affinity")
      }
    }
    if let directory = settings.directory {
      do { try System.changeDirectory(directory) } catch {
        throw ServerFailure("the directory \(directory) cannot be entered (\(error.reason)); correct --chdir")
      }
    }
    try becomeUser(settings)
  }

  /// A sanitizer has handlers of its own for crashes.
  static var isSanitized: Bool { System.isDefined("__asan_init") || System.isDefined("__tsan_init") }

  /// The workers' user may write into a directory that the master has made.
  static func grant(_ path: String, _ settings: ProcessSettings) throws(ServerFailure) {
    guard settings.user != nil || settings.group != nil else { return }
    do throws(SystemError) {
      let user = try settings.user.map { name throws(SystemError) in try System.user(name) }
      let group = try settings.group.map { name throws(SystemError) in try System.group(name) }
      try System.changeOwner(path, user ?? uid_t.max, group ?? gid_t.max)
    } catch {
      throw ServerFailure(
        "\(settings.user ?? "-"):\(settings.group ?? "-") cannot be given \(path) (\(error)); "
          + "start it as root and name a user and group that exist")
    }
  }

  private static func becomeUser(_ settings: ProcessSettings) throws(ServerFailure) {
    do throws(SystemError) {
      let group = try settings.group.map { name throws(SystemError) in try System.group(name) }
      let user = try settings.user.map { name throws(SystemError) in try System.user(name) }
      if group != nil || user != nil { try System.become(user: user, group: group) }
    } catch {
      throw ServerFailure(
        "the process cannot become \(settings.user ?? "itself"):\(settings.group ?? "-") (\(error)); "
          + "start it as root and name a user and group that exist")
    }
  }

  /// When the process ends.
  static func end(_ settings: ProcessSettings) {
    if let path = settings.pidFile { try? System.unlink(path) }
  }

  /// Tells systemd (sd_notify(3)); nothing happens without NOTIFY_SOCKET.
  static func notify(_ state: String) {
    guard let name = System.environmentValue("NOTIFY_SOCKET") else { return }
    let address = SocketAddress(
      name.hasPrefix("@") ? .abstract(name: String(name.dropFirst())) : .unix(path: name))
    try? System.sendDatagram(state, to: address)
  }
}
