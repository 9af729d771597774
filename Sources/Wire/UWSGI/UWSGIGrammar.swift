/// Words of the uwsgi protocol (uWSGI documentation, "The uwsgi Protocol").
///
///     request = modifier1 size modifier2 block body      ; one byte, two (low byte first), one byte
///     block   = *( u16 name u16 value )                  ; lengths, low byte first; `size` bytes in all
///     body    = CONTENT_LENGTH bytes
enum UWSGIGrammar {
  static let headerBytes = 4
  /// modifier1 of a ping and of its answer.
  static let ping: UInt8 = 100
  /// modifier1 that asks for SCRIPT_NAME to be removed from PATH_INFO, which is the whole path.
  static let wholePath: UInt8 = 30
  /// Variables with this prefix are uWSGI's own: they load code, set its environment or change its
  /// directory.
  static let magicPrefix: StaticString = "UWSGI_"

  /// modifier1 values that ask for something other than a request to an application: management (10), the
  /// spooler (17), code to evaluate (22), GlusterFS (26), signals (110), the cache (111), remote procedure
  /// calls (173). They are refused by name, so that nobody takes their packets for requests.
  static func isRefused(_ modifier1: UInt8) -> Bool {
    switch modifier1 {
    case 10, 17, 22, 26, 110, 111, 173: true
    default: false
    }
  }

  /// What the leading digits of a packet tell: those of an SCGI netstring are followed by a colon. No
  /// modifier1 has one of these values.
  static func digits(_ all: UnsafeRawBufferPointer, from start: Int) -> Digits {
    for position in start..<min(all.count, start + 8) where !Ascii.isDigit(all[position]) {
      return position > start && all[position] == SCGIGrammar.colon ? .netstring : .none
    }
    return all.count - start < 8 ? .undecided : .none
  }

  enum Digits { case none, undecided, netstring }

  /// Variables of uWSGI that only describe: the URL scheme, as many nginx configurations send it, and uWSGI's
  /// HTTP router identifying itself. Everything else with the prefix is refused.
  static func isHarmless(_ name: UnsafeRawBufferPointer) -> Bool {
    Ascii.equals(name, "UWSGI_SCHEME") || Ascii.equals(name, "UWSGI_ROUTER")
  }
}
