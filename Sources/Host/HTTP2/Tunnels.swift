import Wire

/// WebSockets on streams (RFC 8441). A stream whose request an application has accepted is a tunnel: its
/// input is read and its output is written as on a connection of HTTP/1.1 (`Host/WebSocket`). Frames are made
/// as the output leaves, so that neither threads of the application nor the bound on what waits for a client
/// have to know of windows.
extension Worker {
  /// As `send`: leader, under the socket's lock. Moves what windows allow; `.more` if it waits for its turn.
  func moveTunnel(_ record: ConnectionPointer) -> HTTP2Session.Moved {
    guard record.outlet.hasOutput else { return .all }
    let moved: HTTP2Session.Moved = isAhead(record) ? .more : move(record).moved
    if moved == .more { waits(record) }
    return moved
  }

  /// Its socket is over, and nobody else has the outlet: what waits, and the end of the stream, leave like
  /// those of any answer.
  func endTunnel(_ record: ConnectionPointer) {
    let outlet = record.outlet
    var left = outlet.pointee.endTunnel()
    blocks.fill(&outlet.output)
    HTTP2ResponseWriter.rest(left.bytes, id: record.streamID, into: &outlet.output)
    blocks.empty(&left)
  }
}
