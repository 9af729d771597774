import Control
import Glibc

/// A worker that a zygote was told to fork, until the kernel says which process it is.
struct Forking {
  let launch: Launch
  /// The master's end of the packet socket to it.
  let link: Int32
  /// Its scoreboard.
  let memory: UnsafeRawPointer
}

/// From a zygote to a worker: the order, and the first message of the resulting process. Nothing that the
/// zygote says is believed: the process number comes from the kernel, and must be that of a child of this
/// process that is not known yet.
extension Master {
  /// Has a worker forked, or started directly if it gets more descriptors than fit in a packet.
  func haveForked(_ launch: Launch, by zygote: Zygote) {
    guard launching.contains(launch.id), let child = zygote.child else { return }
    do throws(SystemError) {
      let outfit = try outfit(launch)
      defer { System.close(outfit.board) }
      let paper = try System.memoryFile("orders", outfit.orders.message.bytes)
      defer { System.close(paper) }
      let pair = try System.packetPair()
      defer { System.close(pair.other) }
      let map =
        outfit.map + [
          (pair.other, HandedDescriptor.control), (paper, HandedDescriptor.orders),
          (STDOUT_FILENO, STDOUT_FILENO), (STDERR_FILENO, STDERR_FILENO),
        ]
      let sorted = map.sorted { $0.1 < $1.1 }
      guard sorted.count <= System.mostDescriptors else {
        System.close(pair.own)
        System.unmap(outfit.memory, Scoreboard.bytes)
        return begin(launch)
      }
      do throws(SystemError) {
        try System.tellSender(pair.own)
        try watch(pair.own, .workerLink(launch.id))
        let order = Message(.fork, outfit.orders.title.map { .init("word", $0) })
        try System.sendPacket(child.link, order.bytes, descriptors: sorted.map(\.0))
      } catch {
        unwatch(pair.own)
        System.unmap(outfit.memory, Scoreboard.bytes)
        throw error
      }
      forking[launch.id] = Forking(launch: launch, link: pair.own, memory: outfit.memory)
    } catch { failed(launch, "no process for a new worker: \(error)", code: 1, hadProcess: false) }
  }

  /// The first message of a forked worker: from then on it is like any other.
  func forkedSpeaks(_ id: Int, _ forking: Forking) {
    var (bytes, sender): ([UInt8], pid_t) = ([], 0)
    do throws(SystemError) { (bytes, sender) = try System.receivePacketFrom(forking.link) } catch {
      if error.isMomentary { return }
    }
    guard Message(bytes)?.verb == .forked, System.isChild(sender), !ownChildren.contains(sender) else {
      dropForking(id)
      let sentence = "the process that was to be forked has ended, or is none of the zygote's"
      return failed(forking.launch, sentence, code: 1)
    }
    self.forking[id] = nil
    launching.remove(id)
    do throws(SystemError) {
      let launch = forking.launch
      workers[id] = WorkerHandle(
        id: id, seat: launch.seat, pid: sender,
        processDescriptor: try watchEnd(of: sender, .workerEnd(id)), link: forking.link,
        memory: forking.memory, release: launch.release)
      statistics.started(launch.seat)
    } catch {
      unwatch(forking.link)
      System.unmap(forking.memory, Scoreboard.bytes)
      failed(forking.launch, "no process for a new worker: \(error)", code: 1, hadProcess: false)
    }
  }

  /// Stops waiting for a worker that was to be forked: without its master it ends.
  func dropForking(_ id: Int) {
    guard let dropped = forking.removeValue(forKey: id) else { return }
    unwatch(dropped.link)
    System.unmap(dropped.memory, Scoreboard.bytes)
  }
}
