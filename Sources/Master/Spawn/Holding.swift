import Config
import Control

/// The server's own files, which the master holds open from its start: whoever is started later gets those of
/// this build, whatever a package has put in their places. A master that follows gets none: it finds its own.
extension Master {
  /// Those that a worker of a release needs.
  func heldFiles(of release: Release) -> [HeldFile] {
    let settings = release.settings
    let hasRuntime = settings.apps.contains { $0.runtime != nil }
    let asksOpenSSL = !settings.tlsListeners.isEmpty || settings.supervision.appKey != nil
    return plan.held.filter { file in
      switch file.kind {
      case .plugin, .worker: hasRuntime
      case .tls: asksOpenSSL
      case .reader: false
      }
    }
  }

  /// Those that any other child may need.
  private func heldFiles(for role: Orders.Role) -> [HeldFile] {
    switch role {
    case .stage, .zygote, .replay: plan.held.filter { $0.kind != .reader }
    case .configure: plan.held.filter { $0.kind == .reader }
    case .worker, .master, .certificates, .watch, .collect, .run, .keep: []
    }
  }

  /// Names those that a child needs in its orders; returns our descriptors, and the child's.
  ///
  /// - Parameter map: the descriptors that it gets besides.
  func hold(for orders: inout Orders, beside map: [(Int32, Int32)]) -> [(Int32, Int32)] {
    if orders.role != .master { orders.program = plan.program }
    let last = map.map(\.1).max() ?? 0
    var handed = HandedMap(first: max(HandedDescriptor.first, last + 1))
    for file in heldFiles(for: orders.role) { handed.add(file, to: &orders) }
    return handed.map
  }
}
