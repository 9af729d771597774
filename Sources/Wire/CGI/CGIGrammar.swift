/// Words of CGI/1.1 (RFC 3875): the request is the environment of the process and its standard input.
///
///     environment = *( NAME "=" value NUL )      ; as the host copies it
enum CGIGrammar {
  static let equals = UInt8(ascii: "=")
  static let nul: UInt8 = 0
}
