import Config
import Control
import Host
import Master
import Posix
import Replay
import Watch

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
    let served = assignment?.orders.builds ?? []
    let effective =
      served.isEmpty
      ? try Settings.effectiveArguments(
        arguments: arguments, environment: ProcessEnvironment.values,
        workingDirectory: Files.workingDirectory(),
        isFile: FileSystem.isFile, surroundings: .ofThisMachine, readFile: Files.read)
      : assignment!.orders.arguments
    let ground = try Groundwork(settings, following: assignment)
    let sockets = ground.sockets.map {
      MasterSocket(
        descriptor: $0.descriptor, gateway: $0.gateway, address: $0.address, readyLine: $0.readyLine)
    }
    var plan = MasterPlan(
      settings: settings, arguments: effective, commandLine: arguments, sockets: sockets,
      directory: .init(path: ground.directory, descriptor: ground.directoryDescriptor, group: ground.group),
      notify: { ground.notify($0) })
    plan.watchSockets = ground.watchSockets.map {
      WatchSocket(descriptor: $0.descriptor, kind: $0.kind, address: $0.address)
    }
    (plan.files, plan.filesServe) = (ground.files, ground.filesServe)
    plan.builds = served
    plan.bequest = assignment?.orders.bequest ?? Bequest()
    plan.remakeDirectory = {
      guard ground.remakeDirectory() else { return nil }
      return .init(path: ground.directory, descriptor: ground.directoryDescriptor, group: ground.group)
    }
    plan.warning = ground.warning
    (plan.held, plan.program) = (ground.held, ground.program)
    plan.programUser = ground.user
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
    } catch { return assignment.fail(error) }
  }

  private static func obey(_ assignment: Assignment) throws -> Int32 {
    let orders = assignment.orders
    func effective() throws -> Settings { try assignment.settings(readFile: Files.read) }
    if orders.role != .stage, orders.role != .worker { assignment.begin() }
    switch orders.role {
    case .configure:
      let wanted = try settings(orders.arguments)
      wanted.warnings.forEach(Server.announce)
      assignment.configured(
        try Settings.effectiveArguments(
          arguments: orders.arguments, environment: ProcessEnvironment.values,
          workingDirectory: Files.workingDirectory(), isFile: FileSystem.isFile,
          surroundings: .ofThisMachine, readFile: Files.read),
        files: try TLSFiles.read(wanted))
    case .certificates: assignment.configured([], files: try TLSFiles.read(try effective()))
    case .watch: return try watch(try effective(), assignment)
    case .collect: return try collect(try effective(), assignment)
    case .keep: return try Server.keep(try effective(), assignment)
    case .run: try Server.becomeProgram(try effective(), orders)
    case .stage, .worker:
      let settings = try effective()
      try Server.enter(settings, assignment)
      if orders.role == .worker {
        try Server.work(settings, assignment)
      } else {
        StageRole.run(settings, assignment)
      }
    case .replay:
      let settings = try effective()
      try Server.enter(settings, assignment)
      ReplayRole.run(settings, assignment, role: ChildRole.name)
    case .zygote:
      // Returns where no runtime has a program that could be one.
      try Server.enter(try effective(), assignment)
      assignment.isIdle()
    case .master where !orders.builds.isEmpty:
      HeirRole.outlive()
      return try supervise(try effective(), arguments: orders.commandLine, for: assignment)
    case .master:
      return try supervise(
        try settings(orders.arguments), arguments: orders.arguments, for: assignment)
    }
    return 0
  }

  /// Shows the server's figures until the master ends.
  private static func watch(_ settings: Settings, _ assignment: Assignment) throws -> Int32 {
    try Server.becomeWatcher(settings)
    let sockets = assignment.orders.sockets
    guard let stream = sockets.first(where: { $0.gateway == Orders.masterStream }) else {
      throw ServerFailure("the master handed over no stream")
    }
    let listeners = sockets.compactMap { socket in
      WatchSettings.Kind(rawValue: socket.gateway).map {
        Watcher.Listener(descriptor: socket.descriptor, kind: $0)
      }
    }
    var watcher = Watcher(
      listeners, settings.watch, stream: stream.descriptor, link: assignment.descriptor)
    return watcher.run()
  }

  /// Distributes the log's lines until nobody is left who writes any.
  private static func collect(_ settings: Settings, _ assignment: Assignment) throws -> Int32 {
    let sockets = assignment.orders.sockets
    guard let errors = sockets.first(where: { $0.gateway == Orders.errorLines }),
      let requests = sockets.first(where: { $0.gateway == Orders.requestLines })
    else { throw ServerFailure("the master handed over no pipes") }
    Server.becomeCollector(settings)
    var collector = LogCollector(
      settings.log, errors: errors.descriptor, requests: requests.descriptor, link: assignment.descriptor)
    return collector.run()
  }

  /// Settings from the operator's words and what surrounds the process.
  private static func settings(_ arguments: [String]) throws -> Settings {
    let invocation = try Settings.parse(
      arguments: arguments, environment: ProcessEnvironment.values, standardInputIsListening: true,
      workingDirectory: Files.workingDirectory(), isFile: FileSystem.isFile,
      surroundings: .ofThisMachine, readFile: Files.read)
    guard case .run(let settings) = invocation else { throw ServerFailure("there is nothing to serve") }
    return settings
  }
}
