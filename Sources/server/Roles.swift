import Config
import Control
import Host
import Master

/// What the process is: a master, one plain process, or a child of a master.
enum Roles {
  /// Serves as the settings say, to the end; the exit code.
  static func serve(_ settings: Settings, arguments: [String]) throws -> Int32 {
    if !settings.isCGI { GatewayEnvironment.leave() }
    guard settings.process.hasMaster, !settings.isCGI else {
      if settings.process.daemonLog != nil {
        throw ServerFailure(
          "a plain process does not leave its terminal; leave out --daemonize or --no-master")
      }
      try Server.run(settings)
      return 0
    }
    if settings.process.daemonLog != nil, let socket = settings.listeners.first(where: \.address.isDescriptor)
    {
      throw ServerFailure(
        "\(socket.address) cannot be taken along by --daemonize; leave --daemonize out: whoever hands the "
          + "socket over keeps the server in the background")
    }
    if let log = settings.process.daemonLog { return try Daemon.start(arguments, log: log) }
    return try supervise(settings, arguments: arguments, for: nil)
  }

  /// Becomes a master.
  ///
  /// - Parameter assignment: from the process that waits for its readiness.
  private static func supervise(
    _ settings: Settings, arguments: [String], for assignment: Assignment?
  ) throws -> Int32 {
    let effective = try Settings.effectiveArguments(
      arguments: arguments, environment: environment(), workingDirectory: Files.workingDirectory(),
      isFile: FileSystem.isFile, readFile: Files.read)
    let ground = try Groundwork(settings, following: assignment)
    let sockets = ground.sockets.map {
      MasterSocket(
        descriptor: $0.descriptor, gateway: $0.gateway, address: $0.address, readyLine: $0.readyLine)
    }
    var plan = MasterPlan(
      settings: settings, arguments: effective, commandLine: arguments, sockets: sockets,
      directory: .init(path: ground.directory, descriptor: ground.directoryDescriptor, group: ground.group),
      notify: { ground.notify($0) })
    plan.warning = ground.warning
    plan.parent = assignment?.descriptor ?? -1
    plan.follows = !(assignment?.orders.sockets.isEmpty ?? true)
    plan.takeOver = { ground.takeOver() }
    let end = Master.run(plan)
    ground.remove(hasHandedOver: end.hasHandedOver)
    return end.code
  }

  /// Does what the orders say; the exit code.
  static func child() -> Int32 {
    guard let assignment = Assignment.take() else {
      Server.announce("\(ChildRole.name) is started by a master only")
      return 1
    }
    do {
      return try obey(assignment)
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

  private static func obey(_ assignment: Assignment) throws -> Int32 {
    let orders = assignment.orders
    switch orders.role {
    case .configure:
      _ = try settings(orders.arguments)
      assignment.configured(
        try Settings.effectiveArguments(
          arguments: orders.arguments, environment: environment(),
          workingDirectory: Files.workingDirectory(), isFile: FileSystem.isFile, readFile: Files.read))
    case .stage: StageRole.run(try effective(orders.arguments), assignment)
    case .worker: try Server.work(try effective(orders.arguments), assignment)
    case .master:
      return try supervise(
        try settings(orders.arguments), arguments: orders.arguments, for: assignment)
    }
    return 0
  }

  /// Settings from the operator's words and what surrounds the process.
  private static func settings(_ arguments: [String]) throws -> Settings {
    let invocation = try Settings.parse(
      arguments: arguments, environment: environment(), standardInputIsListening: true,
      workingDirectory: Files.workingDirectory(), isFile: FileSystem.isFile, readFile: Files.read)
    guard case .run(let settings) = invocation else { throw ServerFailure("there is nothing to serve") }
    return settings
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
