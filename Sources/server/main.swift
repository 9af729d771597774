import Config
import Glibc
import Host
import Master
import Posix

/// The server: reads what it was asked to do, then does it in the role that fits.

/// Ends the process.
func leave(_ code: Int32) -> Never { Server.leave(code) }

// The runtime reads the command line there; a process has at least a name.
guard !CommandLine.arguments.isEmpty else {
  Server.announce(
    "/proc is not mounted, and the command line and the server's own program are read there; mount it "
      + "(mount -t proc proc /proc)")
  leave(1)
}
Server.resetSignals()
do { try Server.fillStandardDescriptors() } catch {
  Server.announce("\(error)")
  leave(1)
}
let arguments = Array(CommandLine.arguments.dropFirst())
let surroundings = ProcessEnvironment.values
let isGateway = surroundings["GATEWAY_INTERFACE"] != nil
if isGateway { GatewayEnvironment.removeProxy() }
// A CGI program has no role: its arguments can be the client's (RFC 3875 §4.4).
if arguments.first == ChildRole.name, !isGateway { leave(Roles.child()) }
if arguments.first == ChildRole.heir, !isGateway { leave(HeirRole.run(Array(arguments.dropFirst()))) }
if let code = Subcommand.run(arguments, environment: surroundings) { leave(code) }

do {
  let own = try Settings.operatorArguments(
    arguments, environment: surroundings, launch: .ofThisProcess())
  let invocation = try Settings.parse(
    arguments: own, environment: surroundings,
    standardInputIsListening: InheritedSockets.isStandardInputListening,
    workingDirectory: Files.workingDirectory(), isFile: FileSystem.isFile,
    surroundings: .ofThisMachine, readFile: Files.read)
  switch invocation {
  case .help(let text), .version(let text), .showConfig(let text):
    print(text)
    leave(0)
  case .checkConfig(let text, let settings):
    settings.warnings.forEach(Server.announce)
    print(text)
    leave(0)
  case .run(let settings):
    settings.warnings.forEach(Server.announce)
    leave(try Roles.serve(settings, arguments: own))
  }
} catch ConfigError.nothingAsked(let help) {
  Server.show(help)
  leave(1)
} catch let error as ConfigError {
  error.all.forEach { Server.announce($0.description) }
  leave(error.exitCode)
} catch let error as ServerFailure {
  Server.announce(error.description)
  leave(error.exitCode)
} catch {
  Server.announce("\(error)")
  leave(1)
}
