import Config
import Control
import Glibc

/// Rereads certificates and keys of a running server. This process does not look into them: one child reads
/// the files as this process's user, another tries them as the workers' user.
extension Master {
  /// Reads the files.
  func readCertificates(_ ticket: Int) {
    guard let current = releases.current else { return }
    var orders = Orders(.certificates)
    orders.arguments = current.arguments
    run(orders, ticket: ticket, seconds: Master.readingSeconds) { [unowned self] outcome in
      switch outcome {
      case .failed(let reason, _): fail(ticket, reason)
      case .staged, .replayed, .unreplayed:
        fail(ticket, "internal error: reading certificates gave builds")
      // The key of builds (`--app-key`) stays: a new one comes with a reload.
      case .configured(_, let files): attempt(Releases.files(files, of: current, for: current), ticket)
      }
    }
  }

  private static let readingSeconds = 30.0

  /// Tries them.
  private func attempt(_ files: [HandedFile], _ ticket: Int) {
    guard let current = releases.current, releases.isStaging(ticket) else { return }
    if files == current.files { return inform(.staged(ticket: ticket, .certified(files))) }
    var orders = Orders(.stage)
    (orders.arguments, orders.files, orders.served) = (current.arguments, files, current.files)
    let seconds = current.settings.supervision.startSeconds
    run(orders, ticket: ticket, seconds: seconds) { [unowned self] outcome in
      switch outcome {
      case .failed(let reason, _): fail(ticket, reason)
      case .configured, .replayed, .unreplayed:
        fail(ticket, "internal error: trying certificates gave a configuration")
      case .staged: inform(.staged(ticket: ticket, .certified(files)))
      }
    }
  }

  private func fail(_ ticket: Int, _ reason: String) { inform(.staged(ticket: ticket, .failed(reason))) }

  /// Has a worker present the serving certificates.
  func present(_ id: Int, _ certificates: Int) {
    guard let worker = workers[id], let current = releases.current else { return }
    do throws(SystemError) {
      let paper = try System.memoryFile("certificates", Message(.certificates, current.files.fields).bytes)
      defer { System.close(paper) }
      worker.send(Message(.certificates, [.init("number", "\(certificates)")]), descriptor: paper)
    } catch { inform(.declined(id, certificates: certificates, "\(error)")) }
  }
}
