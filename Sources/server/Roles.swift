import Config
import Control
import Host
import Master

/// What the process is: a master, one plain process, or a child of a master.
enum Roles {
  /// Serves as the settings say, to the end; the exit code.
  static func serve(_ settings: Settings, arguments: [String]) throws -> Int32 {
    guard settings.process.hasMaster, !settings.isCGI else {
      try Server.run(settings)
      return 0
    }
    let effective = try Settings.effectiveArguments(
      arguments: arguments, environment: environment(), workingDirectory: Files.workingDirectory(),
      readFile: Files.read)
    let ground = try Groundwork(settings)
    defer { ground.remove() }
    let sockets = ground.sockets.map {
      MasterSocket(
        descriptor: $0.descriptor, gateway: $0.gateway, address: $0.address, readyLine: $0.readyLine)
    }
    return Master.run(
      MasterPlan(
        settings: settings, arguments: effective, commandLine: arguments, sockets: sockets,
        directory: ground.directory, notify: { ground.notify($0) }))
  }

  /// Does what the master's orders say; the exit code.
  static func child() -> Int32 {
    guard let assignment = Assignment.take() else {
      Server.announce("\(ChildRole.name) is started by a master only")
      return 1
    }
    do {
      let orders = assignment.orders
      switch orders.role {
      case .configure:
        assignment.configured(
          try Settings.effectiveArguments(
            arguments: orders.arguments, environment: environment(),
            workingDirectory: Files.workingDirectory(), readFile: Files.read))
        _ = try settings(orders.arguments)
      case .stage: StageRole.run(try effective(orders.arguments), assignment)
      case .worker: try Server.work(try effective(orders.arguments), assignment)
      }
      return 0
    } catch let error as ServerFailure {
      assignment.fail(error.description, code: error.exitCode)
      return error.exitCode
    } catch let error as ConfigError {
      assignment.fail(error.description, code: error.exitCode)
      return error.exitCode
    } catch {
      assignment.fail("\(error)", code: 1)
      return 1
    }
  }

  /// Settings from the operator's words and what surrounds the process.
  private static func settings(_ arguments: [String]) throws -> Invocation {
    try Settings.parse(
      arguments: arguments, environment: environment(), standardInputIsListening: true,
      workingDirectory: Files.workingDirectory(), readFile: Files.read)
  }

  /// Settings from arguments that hold everything.
  private static func effective(_ arguments: [String]) throws -> Settings {
    let invocation = try Settings.parse(
      arguments: arguments, environment: [:], standardInputIsListening: true, readFile: Files.read)
    guard case .run(let settings) = invocation else {
      throw ServerFailure("the master's orders hold no configuration")
    }
    return settings
  }
}
