// The names of the processes, and the pipe from which the master takes commands, as in uWSGI.

let titleOptions = OptionGroup(
  title: "Titles and commands",
  options: [
    OptionSpec(
      "auto-procname", "processes say in ps what they are: uWSGI master, uWSGI worker 1",
      .flag { $0.settings.process.title.isAutomatic = $1 }),
    OptionSpec(
      "procname", "processes are called this in ps",
      .value(placeholder: "NAME") { (draft, text) throws(ValueError) in
        draft.settings.process.title.name = try Value.text(text, example: "shop")
      }),
    OptionSpec(
      "procname-master", "the master is called this in ps",
      .value(placeholder: "NAME") { (draft, text) throws(ValueError) in
        draft.settings.process.title.master = try Value.text(text, example: "shop master")
      }),
    OptionSpec(
      "procname-prefix", "what titles begin with",
      .value(placeholder: "TEXT") { (draft, text) throws(ValueError) in
        draft.settings.process.title.prefix = try Value.text(text, example: "shop:")
      }),
    OptionSpec(
      "procname-prefix-spaced", "the same, with a blank behind it",
      .value(placeholder: "TEXT") { (draft, text) throws(ValueError) in
        draft.settings.process.title.prefix = try Value.text(text, example: "shop") + " "
      }),
    OptionSpec(
      "procname-append", "what titles end with",
      .value(placeholder: "TEXT") { (draft, text) throws(ValueError) in
        draft.settings.process.title.suffix = try Value.text(text, example: "' (shop)'")
      }),
    OptionSpec(
      "master-fifo", repeats: true,
      "make this pipe, and heed what is written there: r reload, q stop, Q stop at once, l reopen logs, "
        + "s show status, ? show all",
      .value(placeholder: "FILE") { (draft, text) throws(ValueError) in
        draft.settings.process.commandPipes.append(try Value.text(text, example: "/run/shop.fifo"))
      }),
  ])
