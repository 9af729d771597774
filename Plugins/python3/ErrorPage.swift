// With --debug: an exception as a page, for developers who look at their application in a browser.
import CNSGI

/// The page of an exception. Everything on it that comes from elsewhere is escaped, and a browser is told to
/// run, load and cache nothing of it: an exception may quote what a client has sent.
enum ErrorPage {
  /// Answers a request with it; returns an nsgi_result.
  static func respond(
    _ host: UnsafePointer<nsgi_host>, _ id: nsgi_id, _ heading: String,
    _ words: (trace: String, sentence: String)
  ) -> Int32 {
    var page = text(heading, words.trace, words.sentence)
    return page.withUTF8 { bytes in
      fields.withUnsafeBufferPointer {
        host.pointee.respond(id, 500, $0.baseAddress, $0.count, bytes.baseAddress, bytes.count)
      }
    }
  }

  /// The page as HTML.
  static func text(_ heading: String, _ trace: String, _ sentence: String) -> String {
    let said = sentence.isEmpty ? "The application did not answer as it should; the log says why." : sentence
    return """
      <!DOCTYPE html>
      <html lang="en"><head><meta charset="utf-8"><title>\(escaped(said))</title>
      <style>
      body { font: 16px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 70em; padding: 0 1em; }
      h1 { font-size: 1.3em; overflow-wrap: anywhere; white-space: pre-wrap; }
      pre { background: #f4f4f4; color: #111; padding: 1em; overflow-x: auto; }
      </style></head><body>
      <p>\(escaped(heading))</p>
      <h1>\(escaped(said))</h1>
      <pre>\(escaped(trace))</pre>
      <p>This page is there because the server runs with --debug.</p>
      </body></html>

      """
  }

  /// Text escaped for HTML, also within quotes (HTML 13.2.5).
  private static func escaped(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      case "'": result += "&#39;"
      case "\n", "\t": result.unicodeScalars.append(scalar)
      // Control characters are not allowed in HTML, not even as numeric references.
      case "\u{0}"..."\u{1f}", "\u{7f}"..."\u{9f}": result += "\u{fffd}"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }

  private nonisolated(unsafe) static let fields = [
    pair("Content-Type", "text/html; charset=utf-8"),
    pair("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'"),
    pair("X-Content-Type-Options", "nosniff"), pair("Cache-Control", "no-store"),
  ]

  private static func pair(_ name: StaticString, _ value: StaticString) -> nsgi_pair {
    nsgi_pair(name: literal(name), value: literal(value))
  }

  private static func literal(_ text: StaticString) -> nsgi_str {
    nsgi_str(
      p: UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self), n: text.utf8CodeUnitCount)
  }
}
