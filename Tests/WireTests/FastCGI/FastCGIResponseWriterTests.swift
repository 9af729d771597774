// FastCGI answers: byte vectors of the specification, and whole answers as the other side reads them.
import Support
import Testing
import Wire

@Suite struct FastCGIResponseWriterTests {
  // Byte vectors, field by field from the specification.

  @Test func endRequestFieldByField() {
    let bytes = written {
      FastCGIResponseWriter.end(id: 0x1234, appStatus: 0x0102_0304, protocolStatus: 2, into: &$0)
    }
    #expect(
      bytes == [
        1, 6, 0x12, 0x34, 0, 0, 0, 0,  // version, STDOUT, id high byte first, no content
        1, 3, 0x12, 0x34, 0, 8, 0, 0,  // END_REQUEST with eight bytes
        1, 2, 3, 4, 2, 0, 0, 0,  // appStatus high byte first, protocolStatus, reserved
      ])
  }

  @Test func stdoutLengthsFieldByField() {
    let bytes = written {
      #expect(FastCGIResponseWriter.dataHead(0x1235, id: 0xfffe, into: &$0) == 0x1235)
      FastCGIResponseWriter.dataTail(0x1235, into: &$0)
    }
    #expect(
      bytes == [1, 6, 0xff, 0xfe, 0x12, 0x35, 3, 0, 0, 0, 0], "length high byte first, padded to eight")
  }

  @Test func getValuesResultFieldByField() {
    let bytes = written {
      FastCGIResponseWriter.answer(.fastCGIValues(7), maxConnections: 1000, maxRequests: 64, into: &$0)
    }
    let pairs = "\u{e}\u{4}FCGI_MAX_CONNS1000" + "\u{d}\u{2}FCGI_MAX_REQS64" + "\u{f}\u{1}FCGI_MPXS_CONNS0"
    #expect(bytes == [1, 10, 0, 0, 0, 55, 1, 0] + Array(pairs.utf8) + [0])
  }

  @Test(arguments: 0..<8) func getValuesResultHasWhatWasAskedFor(_ values: Int) throws {
    let bytes = written {
      FastCGIResponseWriter.answer(
        .fastCGIValues(UInt8(values)), maxConnections: 5, maxRequests: 6, into: &$0)
    }
    var rest = bytes[...]
    let pairs = try FastCGIReplyRecord(&rest).pairs()
    #expect(pairs["FCGI_MAX_CONNS"] == (values & 1 != 0 ? "5" : nil))
    #expect(pairs["FCGI_MAX_REQS"] == (values & 2 != 0 ? "6" : nil))
    #expect(pairs["FCGI_MPXS_CONNS"] == (values & 4 != 0 ? "0" : nil))
    #expect(rest.isEmpty && bytes.count % 8 == 0)
  }

  @Test func unknownTypeFieldByField() {
    let bytes = written {
      FastCGIResponseWriter.answer(.fastCGIUnknownType(42), maxConnections: 1, maxRequests: 1, into: &$0)
    }
    #expect(bytes == [1, 11, 0, 0, 0, 8, 0, 0, 42, 0, 0, 0, 0, 0, 0, 0])
  }

  @Test func refusalIsEndRequestAlone() {
    let refusal = ControlAnswer.fastCGIRefusal(id: 3, protocolStatus: 1, closes: false)
    let bytes = written {
      FastCGIResponseWriter.answer(refusal, maxConnections: 1, maxRequests: 1, into: &$0)
    }
    #expect(bytes == [1, 3, 0, 3, 0, 8, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0])
  }

  // Whole answers, read by the other side.

  @Test func smallAnswerIsThreeRecords() throws {
    var response = try response(404, [("Content-Type", "text/plain"), ("Variable-User", "joe")])
    let body = Array("nothing here".utf8)
    let bytes = written { out in
      body.withUnsafeBytes {
        FastCGIResponseWriter.whole(
          &response, plan(.fastcgi, status: 404, length: 12), body: $0, id: 9, appStatus: 7, into: &out)
      }
    }
    var rest = bytes[...]
    let records = try FastCGIReply(&rest, id: 9)
    #expect(records.types == [6, 6, 3])
    #expect(records.appStatus == 7)
    #expect(records.protocolStatus == 0)
    #expect(records.sizes.allSatisfy { ($0.content + $0.padding) % 8 == 0 })
    let fields = "Content-Type: text/plain\r\nVariable-User: joe\r\nContent-Length: 12\r\n\r\n"
    let expected = "Status: 404 Not Found\r\n" + fields + "nothing here"
    #expect(String(decoding: records.stdout, as: UTF8.self) == expected)
    #expect(rest.isEmpty)
  }

  @Test func streamedAnswerWithErrorLines() throws {
    var response = try response(200, reason: "Fine", [("Content-Type", "text/plain")])
    let body = (0..<150_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
    let bytes = written { out in
      FastCGIResponseWriter.head(&response, plan(.fastcgi), id: 1, into: &out)
      "warning: late\n".utf8.withContiguousStorageIfAvailable {
        FastCGIResponseWriter.stderr(UnsafeRawBufferPointer($0), id: 1, into: &out)
      }
      body.withUnsafeBytes { all in
        var start = 0
        while start < all.count {
          let count = FastCGIResponseWriter.dataHead(all.count - start, id: 1, into: &out)
          out.append(UnsafeRawBufferPointer(rebasing: all[start..<start + count]))
          FastCGIResponseWriter.dataTail(count, into: &out)
          start += count
        }
      }
      FastCGIResponseWriter.end(id: 1, into: &out)
    }
    var rest = bytes[...]
    let records = try FastCGIReply(&rest)
    #expect(records.types == [6, 7, 6, 6, 6, 6, 3])
    #expect(records.sizes.dropFirst(2).prefix(2).allSatisfy { $0.content == 65528 && $0.padding == 0 })
    #expect(String(decoding: records.stderr, as: UTF8.self) == "warning: late\n")
    let reply = try records.reply
    #expect(reply.status == 200 && reply.reason == "Fine")
    #expect(reply.body == body)
    #expect(rest.isEmpty)
  }

  /// Sizes around the border of a record, for head and body together and for a head alone.
  @Test(arguments: [0, 1, 7, 8, 65_400, 65_528, 65_529, 65_536, 131_056, 131_057, 200_000])
  func sizesAroundTheBorderOfARecord(_ size: Int) throws {
    let value = String(repeating: "v", count: size)
    let body = (0..<size).map { UInt8(truncatingIfNeeded: $0 % 251) }
    for inHead in [false, true] {
      var response = try response(200, [("X-Size", inHead ? value : "0")])
      let bytes = written { out in
        if inHead {
          FastCGIResponseWriter.head(&response, plan(.fastcgi), id: 1, into: &out)
          FastCGIResponseWriter.end(id: 1, into: &out)
        } else {
          body.withUnsafeBytes {
            FastCGIResponseWriter.whole(&response, plan(.fastcgi), body: $0, id: 1, into: &out)
          }
        }
      }
      var rest = bytes[...]
      let records = try FastCGIReply(&rest)
      #expect(rest.isEmpty)
      #expect(records.sizes.allSatisfy { $0.content <= 65528 && ($0.content + $0.padding) % 8 == 0 })
      #expect(records.types.count == 3 + (records.stdout.count - 1) / 65528)
      let head = Array("Status: 200 OK\r\nX-Size: \(inHead ? value : "0")\r\n\r\n".utf8)
      #expect(records.stdout == head + (inHead ? [] : body))
    }
  }

  @Test(arguments: [0, 1, 8, 65_529, 140_000]) func errorTextOfAnySize(_ size: Int) throws {
    let text = (0..<size).map { UInt8(truncatingIfNeeded: $0 % 7 + 65) }
    let bytes = written { out in
      text.withUnsafeBytes { FastCGIResponseWriter.stderr($0, id: 1, into: &out) }
      FastCGIResponseWriter.end(id: 1, into: &out)
    }
    var rest = bytes[...]
    let records = try FastCGIReply(&rest)
    #expect(records.stderr == text)
    #expect(!records.types.dropLast(2).contains { $0 != 7 })
    #expect(records.sizes.filter { $0.content == 0 }.count == 1, "an empty STDERR record ends the stream")
  }

  @Test func answerInUseBufferKeepsWhatStandsBefore() throws {
    var response = try response(204)
    let bytes = written { out in
      out.append("before")
      FastCGIResponseWriter.whole(
        &response, plan(.fastcgi, status: 204), body: UnsafeRawBufferPointer(start: nil, count: 0), id: 1,
        into: &out)
    }
    #expect(bytes.starts(with: Array("before".utf8)))
    var rest = bytes.dropFirst(6)
    #expect(try FastCGIReply(&rest).reply.status == 204)
  }
}
