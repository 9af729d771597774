import Testing

@testable import Config

@Suite struct PrecedenceTests {
  private let file = ["s.ini": "[server]\nthreads = 1\nmaster = true\nhttp = :1\nlogto = ini\n"]

  @Test func theCommandLineWinsOverTheEnvironmentOverTheFile() throws {
    let environment = [
      "NSGI_THREADS": "2", "NSGI_MASTER": "false", "NSGI_INI": "s.ini", "NSGI_HTTP_SOCKET": ":2",
    ]
    let fromFile = try settings("--ini s.ini", files: file)
    #expect(fromFile.limits.threads == 1 && fromFile.process.hasMaster)
    let fromEnvironment = try settings("", environment: environment, files: file)
    #expect(fromEnvironment.limits.threads == 2 && !fromEnvironment.process.hasMaster)
    #expect(fromEnvironment.log.file == "ini")
    let all = try settings("--threads 3 -M --http :3", environment: environment, files: file)
    #expect(all.limits.threads == 3 && all.process.hasMaster)
    #expect(all.listeners.map(\.address.description) == [":1", ":2", ":3", ":0"])
  }

  @Test func theLastOfTwoCounts() throws {
    #expect(try settings("--threads 3 --threads 4").limits.threads == 4)
    #expect(try settings("--master --master=false").process.hasMaster == false)
  }

  @Test(arguments: ["1", "true", "YES", "on"]) func variablesSetFlags(_ value: String) throws {
    #expect(try settings("", environment: ["NSGI_MASTER": value]).process.hasMaster)
  }

  @Test(arguments: ["0", "false", "No", "off"]) func variablesUnsetFlags(_ value: String) throws {
    #expect(try !settings("", environment: ["NSGI_MASTER": value]).process.hasMaster)
  }

  @Test func anEmptyVariableSaysNothing() throws {
    #expect(try settings("", environment: ["NSGI_MASTER": ""]).process.hasMaster)
    #expect(try !settings("", environment: ["NSGI_WATCH": ""]).supervision.watchesApps)
  }

  @Test func variablesCarryValues() throws {
    let environment = [
      "NSGI_SCGI_SOCKET": "@x", "NSGI_CHMOD_SOCKET": "660", "NSGI_THREADS": "", "PATH": "/bin", "NSGIX": "1",
    ]
    let settings = try settings("", environment: environment)
    #expect(settings.listeners.first?.address == .abstract(name: "x"))
    #expect(settings.socketFiles.mode == 0o660)
    #expect(settings.limits.threads == Limits().threads)
  }

  @Test(
    "a variable that is no option is told of, and ends no start",
    arguments: [
      (
        "NSGI_HTTP_SOKET",
        "`NSGI_HTTP_SOKET` in the environment is not an option, and is ignored; "
          + "did you mean NSGI_HTTP_SOCKET?"
      ),
      ("NSGI_QQQQQQ", "`NSGI_QQQQQQ` in the environment is not an option, and is ignored; see --help"),
      // Images name the version of what is in them so.
      (
        "NSGI_VERSION",
        "`NSGI_VERSION=x`: this option works on the command line only, and is ignored; take it out"
      ),
    ])
  func foreignVariables(_ name: String, _ sentence: String) throws {
    #expect(try settings("", environment: [name: "x"]).warnings == [sentence])
  }

  @Test(
    "what Kubernetes and Docker put there for a service called nsgi is no option",
    arguments: [
      ("NSGI_SERVICE_HOST", "10.96.0.12"), ("NSGI_SERVICE_PORT", "80"), ("NSGI_SERVICE_PORT_HTTP", "80"),
      ("NSGI_PORT", "tcp://10.96.0.12:80"), ("NSGI_PORT_80_TCP", "tcp://10.96.0.12:80"),
      ("NSGI_PORT_80_TCP_PROTO", "tcp"), ("NSGI_PORT_80_TCP_PORT", "80"),
      ("NSGI_PORT_80_TCP_ADDR", "10.96.0.12"), ("NSGI_PORT_53_UDP_PROTO", "udp"),
      // Of a service called nsgi-http-socket, or nsgi-threads.
      ("NSGI_HTTP_SOCKET_SERVICE_HOST", "10.96.0.12"), ("NSGI_HTTP_SOCKET_PORT", "tcp://10.96.0.12:80"),
      ("NSGI_THREADS_PORT_8080_SCTP_ADDR", "10.96.0.12"), ("NSGI_WEB_SERVICE_PORT_METRICS_V2", "9100"),
    ])
  func serviceLinks(_ name: String, _ value: String) throws {
    let found = try settings("", environment: [name: value])
    #expect(found.warnings == [])
    #expect(try found == settings(""))
  }

  @Test(arguments: [
    ("NSGI_THREADS", "`NSGI_THREADS=x`: \"x\" is not a number; write a number, as in 4096"),
    ("NSGI_INI", "`NSGI_INI=x`: cannot read x: no such file; check the path and its permissions"),
  ])
  func variablesAreChecked(_ name: String, _ sentence: String) {
    #expect(complaint("-L", environment: [name: "x"]) == sentence)
  }
}
