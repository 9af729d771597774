import Control

/// Makes again what a cleaner of temporary files has removed from the server's own directory, so that workers
/// and swaps go on.
extension Master {
  /// Before builds are loaded from their copies.
  func mend(_ builds: [Build]) throws(SystemError) {
    try mendDirectory()
    for build in builds where try copies.mend(build.copy) {
      MasterLog.warning("\(build.path) was removed by somebody, and is made again")
    }
  }

  private func mendDirectory() throws(SystemError) {
    guard !copies.hasDirectory else { return }
    guard let fresh = plan.remakeDirectory() else { throw SystemError("mkdir") }
    copies.move(to: fresh)
    MasterLog.warning(
      "\(plan.directory.path) was removed by somebody, and is made again; choose a place that nothing cleans "
        + "(--runtime-dir)")
  }

  /// Checks once a second whether `server ctl` still finds the control socket. Keeps trying to bind one that
  /// cannot be bound because its directory is gone or a dead master still holds it.
  func lookForControl() {
    guard ownsControl else { return }
    if controlSocket >= 0 {
      guard !System.exists(controlPath) else { return }
      closeControl()
      controlTrouble = nil
      MasterLog.warning("\(controlPath) was removed by somebody, and is made again")
    }
    try? mendDirectory()
    let wasTold = controlTrouble != nil
    if openControl() {
      if wasTold { MasterLog.info("the control socket: \(controlPath) is bound") }
    } else {
      alarms.set(.control, seconds: 1)
    }
  }
}
