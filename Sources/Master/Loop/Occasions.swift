import Control

/// What each descriptor and each alarm of the loop is about.
extension Master {
  /// A descriptor is ready.
  func handle(_ fd: Int32) {
    switch sources[fd] {
    case .signals:
      while let signal = System.nextSignalAndSender(fd) { signalled(signal.number, by: signal.sender) }
    case .workerEnd(let id): workerEnded(id)
    case .workerLink(let id): workerSpeaks(id)
    case .zygoteEnd(let number): zygoteEnded(number)
    case .zygoteLink(let number): zygoteSpeaks(number)
    case .jobEnd(let id): jobEnded(id)
    case .jobLink(let id): jobSpeaks(id)
    case .control: acceptClient()
    case .parent: parentSpeaks(fd)
    case .heirLink(let ticket): heirSpeaks(ticket)
    case .heirEnd(let ticket): heirEnded(ticket)
    case .watcherLink: watcherSpeaks()
    case .watcherEnd: watcherEnded()
    case .client(let id): clientSpeaks(id)
    case .files: filesChanged()
    case .collectorLink: collectorSpeaks()
    case .collectorEnd: collectorEnded()
    case .programLink(let id): programSpeaks(id)
    case .programEnd(let id): programEnded(id)
    case .keeperLink: keeperSpeaks()
    case .keeperEnd: keeperEnded()
    case .commands: takeCommands(fd)
    case nil: System.unwatch(epoll, fd)
    }
  }

  /// An alarm is due.
  func perform(_ action: Alarms.Action) {
    switch action {
    case .releases(let alarm): rang(alarm)
    case .zygote(let number): startZygote(number)
    case .lifetime(let id):
      replace(id, "it has served long enough (--max-worker-lifetime)")
    case .stageTimeout(let id): jobTimedOut(id)
    case .saveTimeout(let id): savingTimedOut(id)
    case .stacks(let id): stacksAreShown(to: id)
    case .gather(let ticket): gather(ticket)
    case .recall(let ticket): recallIsOver(ticket)
    case .clients: acceptClientsAgain()
    case .look: look()
    case .control: lookForControl()
    case .last: lastAreLate()
    case .collectorBeat: lookForCollector()
    case .programsEnd: programsAreLate()
    case .watcher: startWatcher()
    case .settled: filesSettled()
    case .collector: collectAgain()
    case .program(let place): attach(place)
    case .programTime(let id): programIsLate(id)
    case .minute: minuteBegins()
    case .keeper: keepAgain()
    case .renewal: renew()
    case .tickets: renewTickets()
    }
  }

  private func rang(_ alarm: ReleaseAlarm) {
    // Its answers up to now count.
    if case .soak = alarm {
      lookForEvidence()
      measure(isLast: true)
    }
    inform(.alarm(alarm))
  }
}
