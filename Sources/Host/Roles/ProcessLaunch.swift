import Config
import Control

/// How this process was started, and what it removes from its environment.
extension Launch {
  /// A script that runs the server is shorter than this; it is read on each CGI request.
  private static let scriptBytes = 64 * 1024
  private static let ownFile = "/proc/self/exe"

  /// How this process was started.
  public static func ofThisProcess() -> Launch {
    let executed = System.executedFile() ?? ""
    let start: Start =
      if System.areSame(executed, ownFile) { .program } else if System.areSame(executed, executed) {
        .script(path: executed)
      } else { .unknown }
    return Launch(
      start: start, name: Paths.name(of: executed),
      isProgram: { System.areSame($0, ownFile) }, areSame: { System.areSame($0, $1) },
      text: { System.text(of: $0, most: scriptBytes) })
  }
}

/// What a CGI front end puts into the environment.
public enum GatewayEnvironment {
  /// Removes a variable that a client may have set and that libraries obey: `Proxy: …` becomes HTTP_PROXY,
  /// which tells many of them where to send their own requests.
  public static func removeProxy() { System.removeVariable("HTTP_PROXY") }

  /// Makes this process and those that it starts no longer a CGI program: it listens.
  public static func leave() { System.removeVariable("GATEWAY_INTERFACE") }
}
