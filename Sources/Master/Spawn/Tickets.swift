import Config
import Control

/// Keys of the tickets with which clients resume their TLS sessions.
extension Master {
  /// Waits to make another key when the newest has served its hours.
  func awaitTickets() {
    let settings = releases.current?.settings ?? plan.settings
    guard !settings.tlsListeners.isEmpty else { return }
    alarms.set(.tickets, seconds: Double(settings.tls.ticketHours) * 3600)
  }

  /// Existing workers get the new one; future ones get it with their orders.
  func renewTickets() {
    tickets.renew()
    for worker in workers.values { worker.send(tickets.message) }
    awaitTickets()
  }
}
