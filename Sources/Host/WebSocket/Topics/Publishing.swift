import CNSGI
import Config
import Control
import Glibc
import Wire

/// Messages of topics: to the sockets of this worker, and by links to those of the others.
extension Worker {
  /// Any thread: sends a message to the sockets of this worker that have subscribed, except one (0: none);
  /// how many took it.
  ///
  /// - Parameter encode: makes the message; not called if nobody has subscribed.
  func publish(_ topic: String, except: nsgi_ws_id = 0, encode: () -> SocketFrame) -> Int64 {
    let subscribers = webSockets.subscribers(topic)
    guard !subscribers.isEmpty else { return 0 }
    let frame = encode()
    var reached: Int64 = 0
    for id in subscribers where id != except {
      let result = SocketTable.with(id) { $0.worker.send($0, frame) }
      if result == NSGI_OK.rawValue { reached += 1 }
    }
    return reached
  }

  /// Any thread: sends a message to all other workers. In the order of the calls, if one thread makes them.
  func publishToOthers(_ message: TopicMessage) {
    guard !topicLinks.isEmpty else { return }
    if topicLinks.send(message.bytes) { inbox.post(.topics) }
  }

  // MARK: The leader's side

  /// The master introduces another worker: the descriptor, which stays the caller's, is one end of a socket.
  func meet(_ message: Message, _ descriptor: Int32) {
    let peer = message["worker"] ?? "another worker"
    do throws(SystemError) {
      guard descriptor >= 0 else { throw SystemError("recvmsg", EMFILE) }
      let link = topicLinks.make(try System.duplicate(descriptor), to: peer)
      do throws(SystemError) { try reactor.add(link.fd, .read, Token(.topics, slot: link.number)) } catch {
        System.close(link.fd)
        throw error
      }
      topicLinks.open(link)
    } catch {
      log.warning("messages of topics neither reach \(peer) nor come from it: \(error)")
    }
  }

  /// The kernel reports an event on a link.
  func topicEvent(_ number: UInt32, _ event: Readiness) {
    guard let link = topicLinks.find(number) else { return }
    if event.canWrite { flushTopics(link) }
    // One that has had its share waits for its turn, whatever the kernel has.
    if event.canRead, !link.isBehind { hearTopics(link) }
  }

  /// Something was published that did not leave at once, or a link has more than its share of a turn.
  func heedTopics() {
    topicLinks.heeded()
    for link in topicLinks.all {
      flushTopics(link)
      guard link.isBehind else { continue }
      link.isBehind = false
      hearTopics(link)
    }
  }

  /// Sends what waits; the rest goes when the socket has room again.
  private func flushTopics(_ link: TopicLink) {
    guard !link.isOver else { return }
    let waits: Bool
    switch topicLinks.flush(link) {
    case .all: waits = false
    case .waits: waits = true
    case .broken: return endTopics(link)
    }
    guard waits != link.awaitsRoom else { return }
    let interest: Interest = waits ? [.read, .write] : .read
    do throws(SystemError) {
      try reactor.change(link.fd, interest, Token(.topics, slot: link.number))
      link.awaitsRoom = waits
    } catch { endTopics(link, "the loop cannot wait for \(link.peer): \(error)") }
  }

  /// Sends what another worker has published to the sockets of this one; a bounded number of messages, so
  /// that connections have their turn.
  private func hearTopics(_ link: TopicLink) {
    guard !link.isOver else { return }
    var (heard, hasReceived) = (0, false)
    while heard < Limits.topicMessagesPerTurn {
      do throws(TopicFault) {
        if let message = try link.reader.next() {
          deliver(message)
          heard += 1
          continue
        }
      } catch {
        return endTopics(link, "\(link.peer) says what no worker says on its link to this one: \(error)")
      }
      guard !hasReceived, receiveTopics(link) else { return link.reader.rest() }
      hasReceived = true
    }
    link.isBehind = true
    if topicLinks.announce() { inbox.post(.topics) }
  }

  private func deliver(_ message: TopicMessage) {
    let topic = String(decoding: message.topic, as: UTF8.self)
    _ = publish(topic) { SocketFrame(message.opcode, message.payload) }
  }

  /// Receives once; false if nothing has come, or the other worker is gone.
  private func receiveTopics(_ link: TopicLink) -> Bool {
    do throws(SystemError) {
      let room = link.reader.reserve(Limits.topicReceiveBytes)
      let count = try System.receive(link.fd, room, Limits.topicReceiveBytes)
      link.reader.commit(count)
      if count == 0 { endTopics(link) }
      return count > 0
    } catch {
      if !error.wouldBlock { endTopics(link) }
      return false
    }
  }

  /// Closes a link: without a reason if the other worker is gone, which its master reports.
  private func endTopics(_ link: TopicLink, _ reason: String? = nil) {
    guard !link.isOver else { return }
    link.isOver = true
    if let reason { log.warning("\(reason); messages of topics no longer go between them") }
    try? reactor.remove(link.fd)
    topicLinks.close(link)
  }
}
