import Config
import Control

/// Keys of the tickets by which clients take up their TLS sessions again.
extension Master {
  /// Another key is made when the newest has served its hours.
  func awaitTickets() {
    let settings = releases.current?.settings ?? plan.settings
    guard !settings.tlsListeners.isEmpty else { return }
    alarms.set(.tickets, seconds: Double(settings.tls.ticketHours) * 3600)
  }

  /// Workers that are there get the new one; those to come get it with their orders.
  func renewTickets() {
    tickets.renew()
    for worker in workers.values { worker.send(tickets.message) }
    awaitTickets()
  }
}
