import Config

/// How this process was started, and what it takes from its environment.
extension Launch {
  /// A script that runs the server is shorter than this; it is read at each CGI request.
  private static let scriptBytes = 64 * 1024
  private static let ownFile = "/proc/self/exe"

  /// Of this process.
  public static func ofThisProcess() -> Launch {
    let executed = System.executedFile() ?? ""
    let start: Start =
      if System.areSame(executed, ownFile) { .program } else if System.areSame(executed, executed) {
        .script(path: executed)
      } else { .unknown }
    return Launch(
      start: start, name: executed.split(separator: "/").last.map(String.init) ?? "",
      isProgram: { System.areSame($0, ownFile) }, areSame: { System.areSame($0, $1) },
      text: { System.text(of: $0, most: scriptBytes) })
  }
}

/// What a CGI front end puts into the environment.
public enum GatewayEnvironment {
  /// Takes out what a client may have put there and libraries heed: `Proxy: …` becomes HTTP_PROXY, which
  /// says to many of them where to send their own requests.
  public static func removeProxy() { System.removeVariable("HTTP_PROXY") }

  /// From now on this process and those that it starts are not a CGI program: it listens.
  public static func leave() { System.removeVariable("GATEWAY_INTERFACE") }
}
