import Glibc

/// Bodies that do not come, or find no room: what clients and operator are told.
extension Worker {
  /// A body that will never fit is refused before it comes.
  func fitsSpools(_ exchange: ExchangePointer) -> Bool {
    let length = exchange.meta.contentLength
    return length <= limits.bodyMemoryBytes || length <= limits.spoolBytes
  }

  func bodyFailed(
    _ connection: ConnectionPointer, _ exchange: ExchangePointer, _ error: SpoolError
  ) {
    bodyNotStored(error)
    let status = bodyStatus(exchange, error)
    refuse(connection, status, Worker.bodySentence(status), error.limit)
  }

  /// The status for a body that could not be stored: one that is larger than all the room could not be stored
  /// another time either.
  func bodyStatus(_ exchange: ExchangePointer, _ error: SpoolError) -> Int {
    // The piece that found no room is no longer than this.
    let least = exchange.body.length + Int64(BlockPool.blockBytes)
    let length = max(exchange.meta.contentLength, least)
    if case .full = error, length > limits.spoolBytes { return 413 }
    return error.status
  }

  /// What a client is told if its body did not come, or could not be stored.
  static func bodySentence(_ status: Int) -> String {
    switch status {
    case 408: "the request did not arrive in time"
    case 413: "the request body is larger than the server can store"
    default: "the request body could not be stored"
    }
  }

  /// Any thread: tells the operator.
  func bodyNotStored(_ error: SpoolError) {
    if spools.mayComplain(System.now()) { log.error("request bodies cannot be stored: \(error)") }
  }
}
