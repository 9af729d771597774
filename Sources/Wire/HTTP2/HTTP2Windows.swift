/// Windows for input that grow (RFC 9113 §6.9 leaves their size to the receiver). A client that may have only
/// 256 KiB under way sends no more than that in each round trip: 2.5 MiB a second over a line of 100 ms.
///
/// A measurement is a PING and its answer: what comes in between came in one round trip. Half of a window is
/// given back at a time, so a client whom it holds up sends half of it or all of it in that time; from a
/// third on the window is doubled, and in the end it is three to six times what comes in a round trip. A
/// client that answers late has its windows grow up to their bounds (`HTTP2Limits`), and no further: these,
/// and not the measurement, bound what waits here. A stream whose application does not keep up gets no more.
extension HTTP2Session {
  /// What the PINGs of this side bear.
  private static let mark: StaticString = "measured"
  /// Of a window: what comes in a round trip of a client whom it holds up.
  private static let share = 3

  /// Window was given back to a stream: measures, if a larger one may be of use to it. Its first window is
  /// no measure: an application that reads nothing seems to take so much of it (`BodyStream.bound` in Host).
  mutating func measure(for place: Int, into out: inout ByteBuffer) {
    let stream = streams[place]
    guard stream.window < limits.streamWindowAtMost, stream.received >= Int64(stream.window) else { return }
    // It may have sent all of the rest.
    guard stream.announced < 0 || stream.announced - stream.received > Int64(stream.receiveWindow) else {
      return
    }
    beginMeasurement(into: &out)
  }

  /// The same for the connection.
  mutating func measureConnection(into out: inout ByteBuffer) {
    let isUsed = received >= Int64(connectionWindow)
    guard isUsed, connectionWindow < limits.connectionWindowAtMost else { return }
    beginMeasurement(into: &out)
  }

  private mutating func beginMeasurement(into out: inout ByteBuffer) {
    guard measuredFrom < 0 else { return }
    measuredFrom = received
    for place in 0..<streams.count { streams[place].measuredFrom = streams[place].received }
    HTTP2Frame(HTTP2Type.ping, length: HTTP2Session.mark.utf8CodeUnitCount).write(into: &out)
    out.append(HTTP2Session.mark)
  }

  /// Takes an answer to PING: windows that held their client up are doubled.
  ///
  /// - Returns: whether it was the answer that is waited for.
  mutating func endMeasurement(_ payload: UnsafeRawBufferPointer, into out: inout ByteBuffer) -> Bool {
    let mark = UnsafeRawBufferPointer(
      start: HTTP2Session.mark.utf8Start, count: HTTP2Session.mark.utf8CodeUnitCount)
    guard measuredFrom >= 0, payload.elementsEqual(mark) else { return false }
    let came = received - measuredFrom
    measuredFrom = -1
    let more = min(connectionWindow, limits.connectionWindowAtMost - connectionWindow)
    if came >= Int64(connectionWindow / HTTP2Session.share), more > 0 {
      connectionWindow += more
      receiveWindow += more
      HTTP2Frame.write(HTTP2Type.windowUpdate, id: 0, UInt32(more), into: &out)
    }
    growStreams(into: &out)
    return true
  }

  private mutating func growStreams(into out: inout ByteBuffer) {
    var room = limits.streamWindowsGrowth
    for place in 0..<streams.count { room -= streams[place].window - limits.streamWindow }
    for place in 0..<streams.count where streams[place].state.receives {
      let stream = streams[place]
      let came = stream.received - stream.measuredFrom
      guard came >= Int64(stream.window / HTTP2Session.share), stream.held <= stream.window / 4 else {
        continue
      }
      let more = min(stream.window, limits.streamWindowAtMost - stream.window, room)
      guard more > 0 else { continue }
      room -= more
      streams[place].window += more
      streams[place].receiveWindow += more
      HTTP2Frame.write(HTTP2Type.windowUpdate, id: stream.id, UInt32(more), into: &out)
    }
  }
}
