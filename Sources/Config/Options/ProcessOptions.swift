// The process itself, the configuration's sources, and options that are accepted because they always apply.

let processOptions = OptionGroup(
  title: "Process",
  options: [
    OptionSpec(
      "master", short: "M", default: "true", "supervise the workers from a master; without one, no swap",
      .flag { $0.settings.process.hasMaster = $1 }),
    OptionSpec(
      "no-master", "serve in one plain process", .flag { $0.settings.process.hasMaster = !$1 }),
    OptionSpec(
      "processes", short: "p", aliases: ["workers"], default: "one a processor", "worker processes",
      .value(placeholder: "N") { (draft, text) throws(ValueError) in
        draft.settings.process.workers = try Value.number(text, 1...1024)
      }),
    OptionSpec(
      "chdir", "enter this directory before the apps are loaded",
      .value(placeholder: "DIR") { (draft, text) throws(ValueError) in
        draft.settings.process.directory = try Value.text(text, example: "/srv/app")
      }),
    OptionSpec(
      "runtime-dir", "keep copies of builds, and the control socket, in a directory of their own in this one",
      .value(placeholder: "DIR") { (draft, text) throws(ValueError) in
        draft.settings.process.runtimeDirectory = try Value.text(text, example: "/run/nsgi-server")
      }),
    OptionSpec(
      "pidfile", "write the process id to this file",
      .value(placeholder: "FILE") { (draft, text) throws(ValueError) in
        draft.settings.process.pidFile = try Value.text(text, example: "/run/server.pid")
      }),
    OptionSpec(
      "uid", "run apps as this user, with its groups alone; a number that has no name needs --gid",
      .value(placeholder: "USER") { (draft, text) throws(ValueError) in
        draft.settings.process.user = try Value.text(text, example: "www-data")
      }),
    OptionSpec(
      "gid", "run apps with this group, and without those of root",
      .value(placeholder: "GROUP") { (draft, text) throws(ValueError) in
        draft.settings.process.group = try Value.text(text, example: "www-data")
      }),
    OptionSpec(
      "no-new-privs", "programs that apps start gain no rights by set-user-ID bits or file capabilities",
      .flag { $0.settings.process.forbidsPrivileges = $1 }),
    OptionSpec(
      "umask", "permission bits withheld from new files",
      .value(placeholder: "MODE") { (draft, text) throws(ValueError) in
        draft.settings.process.umask = try Value.octal(text, highest: 0o777)
      }),
    OptionSpec(
      "daemonize", short: "d", "leave the terminal once the server serves, and log to this file",
      .value(placeholder: "FILE") { (draft, text) throws(ValueError) in
        draft.settings.process.daemonLog = try Value.text(text, example: "/var/log/server.log")
      }),
    OptionSpec(
      "max-fd", "open descriptors that a process may have",
      .value(placeholder: "N") { (draft, text) throws(ValueError) in
        draft.settings.process.maxDescriptors = try Value.number(text, 64...1 << 30)
      }),
    OptionSpec(
      "io", default: EventLoop.auto.rawValue,
      "how the loop asks the kernel: epoll, io_uring, or auto for the best that is there",
      .value(placeholder: "NAME") { (draft, text) throws(ValueError) in
        guard let loop = EventLoop(rawValue: text) else {
          throw .unknownWord(text, known: EventLoop.allCases.map(\.rawValue))
        }
        draft.settings.eventLoop = loop
      }),
    OptionSpec(
      "cpu-affinity", default: "0", "bind each worker to so many processors of its own; 0: to none",
      .value(placeholder: "N") { (draft, text) throws(ValueError) in
        draft.settings.process.processorsPerWorker = try Value.number(text, 0...1024)
      }),
  ])

let configurationOptions = OptionGroup(
  title: "Configuration (keys are the long names; NSGI_HTTP_SOCKET=ADDR in the environment likewise)",
  options: [
    OptionSpec(
      "ini", repeats: true, "read [server] of this file, or the section named after a colon",
      .configuration(placeholder: "FILE[:section]", format: .ini)),
    OptionSpec(
      "yaml", short: "y", aliases: ["yml"], repeats: true,
      "the same of a YAML file: uwsgi: or server:",
      .configuration(placeholder: "FILE[:section]", format: .yaml)),
    OptionSpec(
      "xml", short: "x", aliases: ["xmlconfig"], repeats: true, "the same of an XML file: <uwsgi>",
      .configuration(placeholder: "FILE[:section]", format: .xml)),
    OptionSpec(
      "json", short: "j", aliases: ["js"], repeats: true, "the same of a JSON file: {\"uwsgi\": …}",
      .configuration(placeholder: "FILE[:section]", format: .json)),
    OptionSpec(
      "include", aliases: ["inherit", "config"], repeats: true,
      "the same, in the format that FILE ends in",
      .configuration(placeholder: "FILE[:section]", format: nil)),
    OptionSpec(
      "set", short: "S", aliases: ["set-placeholder", "set-ph"], repeats: true,
      "let %(NAME) in configuration files stand for VALUE", .variable(placeholder: "NAME=VALUE")),
    OptionSpec(
      "strict", "end the start where a file of uWSGI's says what would be lost here",
      .flag { _, _ in }),
    OptionSpec(
      "check-config", "say whether the configuration is good, and exit", .action(.checkConfig)),
    OptionSpec("show-config", "print the configuration as ini, and exit", .action(.showConfig)),
    OptionSpec("version", "print the version, and exit", .action(.version)),
    OptionSpec("help", short: "h", "print this, and exit", .action(.help)),
  ])

/// Options that uWSGI's users habitually set and that this server always applies.
let acceptedOptions = OptionGroup(
  title: "Accepted for compatibility (always on)",
  options: [
    OptionSpec("enable-threads", short: "T", "threads are on", .flag { _, _ in }),
    OptionSpec("need-app", "a missing app ends the start", .flag { _, _ in }),
    OptionSpec("vacuum", "socket and pid files are removed at the end", .flag { _, _ in }),
    OptionSpec("die-on-term", "SIGTERM stops the server", .flag { _, _ in }),
    OptionSpec("no-orphans", "workers end with their master", .flag { _, _ in }),
    OptionSpec("single-interpreter", short: "i", "one interpreter a process", .flag { _, _ in }),
    OptionSpec("thunder-lock", "one worker is woken per connection", .flag { _, _ in }),
  ])
