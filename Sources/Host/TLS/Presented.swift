import Config
import Control

/// What a worker's TLS sockets present: certificates, and the ticket keys that go with them. Belongs to the
/// leader.
struct Presented {
  /// Those of the sockets, in their order.
  private(set) var identities: [TLSIdentities] = []
  /// Keys of tickets in hexadecimal digits, newest first: these outlive the certificates.
  private(set) var tickets: [String] = []
  /// When the next OCSP response expires, in seconds of the calendar.
  var stapleEnd = Int64.max

  /// Nothing, for a worker without such a socket.
  init() {}

  init(_ identities: [TLSIdentities], tickets: [String]) {
    self.identities = identities
    use(tickets)
  }

  /// Uses other keys.
  mutating func use(_ tickets: [String]) {
    self.tickets = tickets
    for one in identities { one.use(tickets) }
  }

  /// Uses other certificates for new connections; existing ones keep theirs.
  mutating func replace(by others: [TLSIdentities]) {
    for one in others { one.use(tickets) }
    for one in identities { one.drop() }
    identities = others
  }
}

/// Certificates that a master hands to a serving worker.
extension Worker {
  /// Leader: has them prepared on a separate thread: that takes longer than a request may wait.
  func takeCertificates(_ message: Message, _ descriptor: Int32) {
    guard let number = message.number("number"), let link = supervisor?.link else { return }
    let refuse = { @Sendable (reason: String) in
      link.send(Message(.declined, [.init("number", "\(number)"), Message.reason(reason)]))
    }
    guard let file = try? System.duplicate(descriptor) else { return refuse("there is no file of them") }
    let isStarted = startCounted { worker in
      defer { System.close(file) }
      do {
        guard let contents = Message(try System.contents(file)) else { return refuse("they are cut short") }
        let files = [HandedFile](contents)
        let made = try TLSIdentities.all(worker.settings, files, checksTime: false)
        worker.inbox.post(.certificates(made, number: number))
      } catch { refuse("\(error)") }
    }
    if !isStarted {
      System.close(file)
      refuse("the system gives no thread")
    }
  }

  /// Leader: they are ready.
  func present(_ others: [TLSIdentities], number: Int) {
    acceptor.presented.replace(by: others)
    supervisor?.link.send(Message(.presents, [.init("number", "\(number)")]))
    lookAtCertificates()
  }
}
