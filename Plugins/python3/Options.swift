// The options of load(), as given on the server's command line.
import Glibc

/// The options of one application.
struct PythonOptions {
  /// `module`, `module:callable` or `module:factory()`.
  var module: String?
  /// A file instead of a module, optionally followed by `:callable`.
  var file: String?
  /// Name of the application in its module or file.
  var callable: String?
  /// "asgi" or "wsgi" if the operator says so; otherwise the application tells.
  var interface: String?
  /// The option that said so.
  var interfaceOption: String { module != nil && saysInterface ? "--\(interface ?? "")" : "--interface" }
  /// `--asgi` or `--wsgi` named the application.
  private var saysInterface = false
  /// "auto", "asyncio" or "uvloop".
  var loop = "auto"
  /// The most concurrent requests of ASGI applications.
  var tasks = 10_000
  /// The program of the Python that serves.
  var program: String?
  /// A virtual environment, or another prefix of Python.
  var home: String?
  /// Directories for modules, in search order.
  var path: [String] = []
  /// The file that has the application's modules as they were when its generation was made.
  var kept: String?
  /// NAME=VALUE.
  var environment: [String] = []
  /// sys.argv after the program name.
  var arguments: [String] = []
  /// Seconds between looks at the files of modules; 0: no looks.
  var autoreload = 0
  /// Clients see the traceback of an exception.
  var showsTracebacks = false
  /// They see it as a page, with lines of the source, and saved files are served.
  var isDevelopment = false
  /// The most calls that the server makes at once.
  var threads = 1
  /// One request, then the end (CGI).
  var runsOnce = false
  /// Python runs in the server's own program, even if there is another one.
  var embeds = false
  /// The process runs the program of a Python, which has loaded the server.
  var isGuest = false
  /// What the server says about itself, for the Python files: keys begin with "server.".
  var told: [(key: String, value: String)] = []

  /// The configuration is in uWSGI's words: there is a module `uwsgi` for the application.
  var offersUWSGI: Bool { told.contains { $0.key == "server.uwsgi" && $0.value == "true" } }

  /// The most concurrent calls for WebSockets, each on a thread of its own; 0: none.
  var socketCalls: Int {
    guard offersUWSGI else { return 0 }
    return told.last { $0.key == "server.sockets" }.flatMap { Int($0.value) } ?? 0
  }

  /// - Parameter list: nsgi_boot.options; unknown keys are the application's own.
  init(_ list: UnsafePointer<UnsafePointer<CChar>?>?) {
    guard var list else { return }
    while let key = list[0], let value = list[1] {
      take(String(cString: key), String(cString: value))
      list += 2
    }
  }

  /// Call it before the interpreter starts, which copies its environment.
  func setEnvironment() {
    for line in environment {
      let name = line.prefix { $0 != "=" }
      setenv(String(name), String(line.dropFirst(name.count + 1)), 1)
    }
  }

  private mutating func take(_ key: String, _ value: String) {
    if key.hasPrefix("server.") { told.append((key, value)) }
    switch key {
    case "module": module = value
    case "asgi", "wsgi": (module, interface, saysInterface) = (value, key, true)
    case "interface": if !saysInterface { interface = value == "auto" ? nil : value }
    case "asgi-loop": loop = value
    case "asgi-tasks": tasks = Int(value) ?? tasks
    case "wsgi-file": file = value
    case "callable": callable = value
    case "python": program = value
    case "venv": home = value
    case "pythonpath": path.append(value)
    case "env": environment.append(value)
    case "pyargv": arguments = value.split(separator: " ").map(String.init)
    case "py-autoreload": autoreload = Int(value) ?? 0
    case "catch-exceptions": showsTracebacks = value == "true"
    case "server.modules": kept = value
    case "server.threads": threads = Int(value) ?? 1
    case "server.watch": if value == "true", autoreload == 0 { autoreload = 1 }
    case "embed": embeds = value == "true"
    case "server.debug": isDevelopment = value == "true"
    case "server.once": runsOnce = value == "true"
    case "server.guest": isGuest = value == "true"
    default: break
    }
  }
}
