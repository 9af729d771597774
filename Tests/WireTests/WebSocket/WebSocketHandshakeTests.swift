import Support
import Testing
import Wire

/// The opening handshake, and what is agreed on in it.
@Suite struct WebSocketHandshakeTests {
  /// Holds texts at fixed addresses for as long as a test needs them.
  private final class Held {
    private var blocks: [UnsafeMutableRawBufferPointer] = []
    func text(_ text: String) -> UnsafeRawBufferPointer {
      let block = UnsafeMutableRawBufferPointer.allocate(byteCount: text.utf8.count, alignment: 1)
      block.copyBytes(from: text.utf8)
      blocks.append(block)
      return UnsafeRawBufferPointer(block)
    }
    deinit { for block in blocks { block.deallocate() } }
  }

  private let held = Held()

  private func good() -> WebSocketHandshake {
    var handshake = WebSocketHandshake()
    handshake.method = held.text("GET")
    handshake.upgrade = held.text("websocket")
    handshake.connection = held.text("keep-alive, Upgrade")
    handshake.key = held.text("dGhlIHNhbXBsZSBub25jZQ==")
    handshake.version = held.text("13")
    return handshake
  }

  private func failure(_ change: (inout WebSocketHandshake) -> Void) -> WebSocketHandshake.Failure? {
    var handshake = good()
    change(&handshake)
    do throws(WebSocketHandshake.Failure) { try handshake.check() } catch { return error }
    return nil
  }

  /// RFC 6455 §1.3.
  @Test func acceptsTheKeyOfTheRFC() {
    let accept = WebSocketHandshake.accept(held.text("dGhlIHNhbXBsZSBub25jZQ=="))
    #expect(String(decoding: accept, as: UTF8.self) == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
  }

  @Test func refusesWhatIsWrong() {
    #expect(failure { _ in } == nil)
    #expect(failure { $0.connection = nil } == nil)
    #expect(failure { $0.method = held.text("POST") } == .method)
    #expect(failure { $0.isHTTP11 = false } == .httpVersion)
    #expect(failure { $0.connection = held.text("close") } == .connection)
    #expect(failure { $0.version = nil } == .version)
    for version in ["8", "13, 13", "", "013"] {
      #expect(failure { $0.version = held.text(version) } == .version, "\(version)")
    }
    #expect(failure { $0.key = nil } == .keyMissing)
    #expect(failure { $0.key = held.text("") } == .keyMissing)
    let keys = [
      "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZQ===", "dGhlIHNhbXBsZSBub25jZQA=",
      "dGhlIHNhbXBsZSBub25j!Q==", "short==", "dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ==",
    ]
    for key in keys { #expect(failure { $0.key = held.text(key) } == .keyMalformed, "\(key)") }
    #expect(failure { $0.protocols = held.text("chat, super chat") } == .protocolMalformed)
    for list in ["", ",", "chat;", "chat=1", "\"chat\"", "chat,(soap)", "ch\u{e4}t"] {
      #expect(failure { $0.protocols = held.text(list) } == .protocolMalformed, "\(list)")
    }
    // Empty members are ignored.
    for list in ["chat, superchat", "chat,", ", chat ,,soap"] {
      #expect(failure { $0.protocols = held.text(list) } == nil, "\(list)")
    }
    for connection in ["upgrade", "UPGRADE", "close,upgrade", " , Upgrade ,", "keep-alive,\tUpgrade"] {
      #expect(failure { $0.connection = held.text(connection) } == nil, "\(connection)")
    }
    for connection in ["", "upgrade keep-alive", "upgraded", "\"upgrade\"", "keep-alive"] {
      #expect(failure { $0.connection = held.text(connection) } == .connection, "\(connection)")
    }
    #expect(failure { $0.method = held.text("get") } == .method)
    #expect(WebSocketHandshake.Failure.version.status == 426)
    #expect(WebSocketHandshake.Failure.keyMissing.status == 400)
  }

  /// RFC 6455 §9.1: an offer that cannot be met is passed over, and one that cannot be read is an error.
  @Test func refusesExtensionsThatCannotBeRead() {
    let bad = [
      "permessage-deflate;", ";", "a b", "a; b c", "a;=1", "a; b=", "a; b=\"c", "a; b=\"\"", "a; b=\"c d\"",
      "a; b=\"c,d\"", "=1", "a=1", "a;;b", "permessage-deflate, x;", "a; b=c=d", "(a)",
    ]
    for list in bad {
      #expect(failure { $0.extensions = held.text(list) } == .extensionsMalformed, "\(list)")
    }
    let good = [
      "", "permessage-deflate", "a, b", "a,,b,", "a;b", "a ; b = c", "a; b=\"c\"; d",
      "bzip2; level=9, permessage-deflate", "permessage-deflate; unknown",
      "permessage-deflate; server_max_window_bits=99",
    ]
    for list in good { #expect(failure { $0.extensions = held.text(list) } == nil, "\(list)") }
    #expect(WebSocketHandshake.Failure.extensionsMalformed.status == 400)
  }

  /// RFC 8441 §5: by extended CONNECT there is neither a key nor Connection, and nothing to upgrade to.
  @Test func needsNoKeyOverHTTP2() {
    func failure(_ change: (inout WebSocketHandshake) -> Void) -> WebSocketHandshake.Failure? {
      self.failure {
        ($0.isExtended, $0.key, $0.connection) = (true, nil, nil)
        change(&$0)
      }
    }
    #expect(failure { _ in } == nil)
    #expect(failure { $0.key = held.text("short==") } == nil)
    #expect(failure { $0.version = held.text("8") } == .version)
    #expect(failure { $0.protocols = held.text("a b") } == .protocolMalformed)
    var handshake = good()
    #expect(handshake.status(of: .version) == 426 && handshake.status(of: .keyMissing) == 400)
    handshake.isExtended = true
    #expect(handshake.status(of: .version) == 400 && handshake.status(of: .protocolMalformed) == 400)
  }

  @Test func knowsWhatIsAskedFor() {
    #expect(WebSocketHandshake.isAsked(upgrade: held.text("WebSocket")))
    #expect(WebSocketHandshake.isAsked(upgrade: held.text("h2c, websocket")))
    #expect(!WebSocketHandshake.isAsked(upgrade: held.text("h2c")))
    #expect(!WebSocketHandshake.isAsked(upgrade: held.text("websockets")))
    #expect(!WebSocketHandshake.isAsked(upgrade: .none))
    var handshake = good()
    handshake.protocols = held.text("chat , soap")
    #expect(handshake.offers(held.text("chat")) && handshake.offers(held.text("soap")))
    #expect(!handshake.offers(held.text("Chat")) && !handshake.offers(held.text("")))
  }

  /// RFC 7692 §7.1 with offers good and bad.
  @Test(
    arguments: [
      ("permessage-deflate", "permessage-deflate; server_no_context_takeover; client_no_context_takeover"),
      (
        "permessage-deflate; client_max_window_bits",
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
      ),
      (
        "x-webkit-deflate-frame, Permessage-Deflate;client_max_window_bits=10; server_max_window_bits=\"11\"",
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
          + "; server_max_window_bits=11; client_max_window_bits=10"
      ),
      (
        "permessage-deflate; server_max_window_bits=8, permessage-deflate; server_max_window_bits=15",
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
          + "; server_max_window_bits=15"
      ),
      (
        "permessage-deflate; client_max_window_bits=8",
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
      ),
      (
        "permessage-deflate; server_max_window_bits=9; client_max_window_bits=15",
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
          + "; server_max_window_bits=9"
      ),
      (
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
      ),
      ("permessage-deflate; server_no_context_takeover; server_no_context_takeover", nil),
      ("permessage-deflate; server_max_window_bits=+9", nil),
      ("permessage-deflate; server_max_window_bits=\"\"", nil),
      ("permessage-deflate; client_max_window_bits=16", nil),
      ("permessage-deflate; server_max_window_bits", nil),
      ("permessage-deflate; server_max_window_bits=16", nil),
      ("permessage-deflate; server_max_window_bits=09", nil),
      ("permessage-deflate; client_max_window_bits=7", nil),
      ("permessage-deflate; server_no_context_takeover=1", nil),
      ("permessage-deflate; unknown", nil),
      ("permessage-deflate; client_max_window_bits; client_max_window_bits=10", nil),
      ("permessage-deflate;", nil),
      ("", nil),
      ("bzip2", nil),
    ] as [(String, String?)])
  func agrees(_ offer: String, _ answer: String?) {
    #expect(WebSocketDeflate.agree(held.text(offer), keepsContext: false)?.text == answer)
  }

  @Test func keepsContextsWhereBothWant() {
    func agreed(_ offer: String) -> String? {
      WebSocketDeflate.agree(held.text(offer), keepsContext: true)?.text
    }
    #expect(agreed("permessage-deflate") == "permessage-deflate")
    #expect(
      agreed("permessage-deflate; client_no_context_takeover")
        == "permessage-deflate; client_no_context_takeover")
  }
}
