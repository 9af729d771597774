// The options of WebSockets.

private let limits = Limits()

let webSocketOptions = OptionGroup(
  title: "WebSockets (BYTES: 65536, 64k; SECONDS: 30, 0.5)",
  options: [
    OptionSpec(
      "websocket-max-message", default: "\(limits.webSocketMessageBytes)",
      "largest message of a client; beyond it the socket is closed with 1009",
      .value(placeholder: "BYTES") { (draft, text) throws(ValueError) in
        draft.settings.limits.webSocketMessageBytes = Int(try Value.bytes(text, 1...1 << 31))
      }),
    OptionSpec(
      "websocket-queue", default: "\(limits.webSocketQueueBytes)",
      "bytes that wait for a client before an app is told to wait too",
      .value(placeholder: "BYTES") { (draft, text) throws(ValueError) in
        draft.settings.limits.webSocketQueueBytes = Int(try Value.bytes(text, 1024...1 << 31))
      }),
    OptionSpec(
      "websocket-ping", default: Value.spell(limits.webSocketPingSeconds),
      "of silence before a ping, and again before the end; 0: never",
      .value(placeholder: "SECONDS") { (draft, text) throws(ValueError) in
        draft.settings.limits.webSocketPingSeconds = try Value.seconds(text, 0...86_400)
      }),
    OptionSpec(
      "websocket-max", default: "\(limits.webSockets)",
      "open at once in a worker; further ones get 503; 0: as many as there are connections",
      .value(placeholder: "N") { (draft, text) throws(ValueError) in
        draft.settings.limits.webSockets = try Value.number(text, 0...Limits.connectionsMaximum)
      }),
    OptionSpec(
      "http-websockets",
      "calls of WSGI applications that ask for one have a thread each, also with --threads 1",
      .flag { $0.settings.limits.offersSocketsAtHome = $1 }),
    OptionSpec(
      "websocket-origin", repeats: true,
      "pages of this origin may open some, and of no other: self, https://name, https://*.name",
      .value(placeholder: "ORIGIN") { (draft, text) throws(ValueError) in
        draft.settings.limits.webSocketOrigins.append(try WebSocketOrigin(parsing: text))
      }),
    OptionSpec(
      "websocket-drain", default: Value.spell(limits.webSocketDrainSeconds),
      "that sockets of a version that was replaced go on; then 1012",
      .value(placeholder: "SECONDS") { (draft, text) throws(ValueError) in
        draft.settings.limits.webSocketDrainSeconds = try Value.seconds(text, 0...86_400)
      }),
    OptionSpec(
      "websocket-compression", default: limits.webSocketDeflate.rawValue,
      "off; shared: each message by itself; dedicated: a window each socket",
      .value(placeholder: "HOW") { (draft, text) throws(ValueError) in
        let words = WebSocketCompression.allCases.map(\.rawValue)
        let word = try PythonTarget.word(text, of: words)
        draft.settings.limits.webSocketDeflate = WebSocketCompression(rawValue: word) ?? .shared
      }),
  ])
