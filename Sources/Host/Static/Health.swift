import Wire

/// Questions of load balancers about the server, which no app sees.
extension Worker {
  /// The answer to a path that asks about the server; nil for any other. Names are compared exactly as they
  /// came: a load balancer is configured to the letter.
  func health(_ exchange: ExchangePointer) -> (status: Int, sentence: String)? {
    let paths = settings.watch
    guard paths.asksForHealth else { return nil }
    let path = apps.mounts.wholePath(&exchange.pointee).bytes
    if Self.equals(path, paths.readyPath) {
      return departure.isUnready || departure.isUnderWay ? (503, "the server is to stop") : (200, "ready")
    }
    return Self.equals(path, paths.healthPath) ? (200, "healthy") : nil
  }

  private static func equals(_ path: UnsafeRawBufferPointer, _ name: String) -> Bool {
    !name.isEmpty && path.elementsEqual(name.utf8)
  }
}
