// What errors and warnings show of values that may be secrets: nothing.
import Testing

@testable import Config

@Suite struct SecretValueTests {
  @Test(
    "a value as it is shown",
    arguments: [
      ("--env", "KEY=hunter2", "KEY=…"), ("env", "hunter2", "…"), ("NSGI_ENV", "A=B=hunter2", "A=…"),
      ("UWSGI_SET_PLACEHOLDER", "p=hunter2", "p=…"), ("--app-option", "/m:key=hunter2", "/m:key=…"),
      ("uwsgi-opt", "mail-password=hunter2", "mail-password=…"), ("smtp-password", "hunter2", "…"),
      ("api_token", "hunter2", "…"), ("env", "", ""), ("env", "KEY=", "KEY="),
      ("route", "^/x basicauth:Staff,me:hunter2", "^/x basicauth:…"),
      ("--route-run", "basicauth-next:Staff,me:hunter2", "basicauth-next:…"),
      ("route-uri", "^/ bascauth:Staff,me:hunter2", "^/ bascauth:…"),
      ("route-if", "equal:a;b basicauth Staff,me:hunter2", "equal:a;b basicauth Staff,me:…"),
      ("emperor", "amqp://me:hunter2@host/x", "amqp://me:…@host/x"),
      // What helps and harms nobody.
      ("tls-key-password-file", "/etc/pass", "/etc/pass"), ("http-socket", "127.0.0.1", "127.0.0.1"),
      ("route", "^/old redirect:http://a.example:80/x", "^/old redirect:http://a.example:80/x"),
      ("tls-key", "/etc/key.pem", "/etc/key.pem"),
    ])
  func shown(name: String, value: String, shown: String) {
    #expect(SecretValue.shown(value, of: name) == shown)
  }

  @Test(
    "a complaint names the option and its place alone",
    arguments: [
      ("env = hunter2", "c.ini:2: `env = …`"), ("app-option = hunter2", "c.ini:2: `app-option = …`"),
      ("set = hunter2", "c.ini:2: `set = …`"),
      ("route-run = basicauth:hunter2", "c.ini:2: `route-run = basicauth:…`"),
      ("route-run = bascauth:S,me:hunter2", "c.ini:2: `route-run = bascauth:…`"),
      ("route = ^/a$ basicauth:S,me:hunter2 $(NOT_SET)", "c.ini:2: `route = ^/a$ basicauth:…`"),
      ("env = KEY=hunter2 $(NOT_SET)", "c.ini:2: `env = KEY=…`"),
      ("db-password = hunter2", "c.ini:2: `db-password`"),
      ("watch-host = http://me:hunter2@h", "c.ini:2: `watch-host = http://me:…@h`"),
      ("health-path = http://me:hunter2@h", "c.ini:2: `health-path = http://me:…@h`"),
      ("static-map = http://me:hunter2@h", "c.ini:2: `static-map = http://me:…@h`"),
      ("http-socket = http://me:hunter2@h:80", "c.ini:2: `http-socket = http://me:…@h:80`"),
    ])
  func complaints(line: String, place: String) {
    let text = complaint("c.ini --app a.so --http-socket :0", files: ["c.ini": "[server]\n\(line)\n"])
    #expect(text.contains(place) && !text.contains("hunter2"), "\(text)")
  }

  @Test("a line before any section is named without its secret")
  func strays() {
    let text = complaint("c.ini", files: ["c.ini": "db-password = hunter2\nx = 1\n"])
    #expect(text.contains("db-password = …") && !text.contains("hunter2"), "\(text)")
  }

  @Test("nor does the command line or the environment show one")
  func words() {
    let line = complaint("--env hunter2 --app-option hunter2 --app a.so --http-socket :0")
    #expect(line.contains("`--env …`") && line.contains("`--app-option …`"), "\(line)")
    let variables = complaint("--app a.so --http-socket :0", environment: ["NSGI_ENV": "hunter2"])
    #expect(variables.contains("`NSGI_ENV=…`"), "\(variables)")
    #expect(!(line + variables).contains("hunter2"))
  }

  @Test(
    "what uWSGI does and this server does not is told without secrets",
    arguments: [
      ("env = KEY=hunter2 $(NOT_SET)", "`env = KEY=…`"),
      ("response-route-run = ldapauth:S,url=ldap://x;bindpw=hunter2", "`response-route-run = ldapauth:…`"),
      ("route-run = ldapauth:S,url=ldap://x;bindpw=hunter2", "`route-run = ldapauth:…`"),
    ])
  func losses(line: String, place: String) {
    let text = UWSGIFileTests.said(line).joined(separator: "\n")
    #expect(text.contains(place) && !text.contains("hunter2"), "\(text)")
  }
}
