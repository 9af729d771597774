import Testing

@testable import Config

/// Each refusal is one sentence and the fix.
@Suite struct ComplaintTests {
  static let values: [(String, String)] = [
    ("--http-socket 127.0.0.1", "`--http-socket 127.0.0.1`: the port is missing; write 127.0.0.1:8080"),
    ("--http 127.0.0.1", "`--http 127.0.0.1`: the port is missing; write 127.0.0.1:8080"),
    ("-s 80", "`-s 80`: a port alone is ambiguous; write 127.0.0.1:80, or :80 for all interfaces"),
    ("--http-socket", "`--http-socket`: the value is missing; write --http-socket ADDR"),
    ("--http-socket --app a.so", "`--http-socket`: the value is missing; write --http-socket ADDR"),
    ("-p", "`-p`: the value is missing; write -p N"),
    ("--swap soon", "`--swap soon`: \"soon\" is not known; choose one of rolling or in-place"),
    ("-p0", "`-p 0`: 0 is not between 1 and 1024; choose from 1 to 1024"),
    ("--threads many", "`--threads many`: \"many\" is not a number; write a number, as in 4096"),
    ("--threads 0x10", "`--threads 0x10`: \"0x10\" is not a number; write a number, as in 4096"),
    ("--threads -1", "`--threads -1`: \"-1\" is not a number; write a number, as in 4096"),
    ("none.ini", "`none.ini`: cannot read none.ini: no such file; check the path and its permissions"),
    ("--threads=-1", "`--threads -1`: \"-1\" is not a number; write a number, as in 4096"),
    ("--listen 0", "`--listen 0`: 0 is not between 1 and 65535; choose from 1 to 65535"),
    (
      "-b 99999999999999999999",
      "`-b 99999999999999999999`: 99999999999999999999 is not between 1024 and 16777216; choose "
        + "from 1024 to 16777216"
    ),
    (
      "-b 9223372036854775807g",
      "`-b 9223372036854775807g`: 9223372036854775807g is not between 1024 and 16777216; choose "
        + "from 1024 to 16777216"
    ),
    (
      "--limit-post 17179869185g",
      "`--limit-post 17179869185g`: 17179869185g is not between 0 and 1125899906842624; choose "
        + "from 0 to 1125899906842624"
    ),
    ("-b 1t", "`-b 1t`: \"1t\" is not a number; write a number, as in 65536 or 64k"),
    ("-b k", "`-b k`: \"k\" is not a number; write a number, as in 65536 or 64k"),
    ("-z 0", "`-z 0`: 0 is not between 0.001 and 86400; choose from 0.001 to 86400"),
    ("-z 1e3", "`-z 1e3`: \"1e3\" is not a number; write a number, as in 30 or 0.5"),
    ("-z .", "`-z .`: \".\" is not a number; write a number, as in 30 or 0.5"),
    (
      "--umask 8",
      "`--umask 8`: \"8\" is not an octal mode; write three or four digits from 0 to 7, as in 660"
    ),
    (
      "--umask 1777",
      "`--umask 1777`: \"1777\" is not an octal mode; write three or four digits from 0 to 7, as in 660"
    ),
    (
      "--chmod-socket=rw",
      "`--chmod-socket rw`: \"rw\" is not an octal mode; write three or four digits from 0 to 7, as in 660"
    ),
    ("--chown-socket :", "`--chown-socket :`: the value is empty; write it as in www-data:www-data"),
    (
      "--protocol spdy",
      "`--protocol spdy`: \"spdy\" is not known; choose one of http, scgi, uwsgi or fastcgi"
    ),
    (
      "--log-format %(uri",
      "`--log-format %(uri`: a %( of \"%(uri\" has no end; write %(name), as in '%(method) %(uri) %(status)'"
    ),
    (
      "--log-encoder zip",
      "`--log-encoder zip`: \"zip\" is not known; choose one of json, json TEXT, format TEXT, "
        + "prefix TEXT, suffix TEXT or nl"
    ),
    (
      "--logger redislog",
      "`--logger redislog`: \"redislog\" is not known; choose one of file:PATH, stdio, syslog:NAME, "
        + "rsyslog:HOST:PORT,NAME, socket:ADDR or systemd:NAME"
    ),
    (
      "--log-route errors",
      "`--log-route errors`: \"errors\" has no pattern; write the name of a logger, a blank and a regular "
        + "expression"
    ),
    ("--master=maybe", "`--master maybe`: \"maybe\" is neither true nor false; write true or false"),
    ("--help=x", "`--help=x`: this option takes no value; write --help"),
    ("--chdir=", "`--chdir `: the value is empty; write it as in /srv/app"),
  ]

  static let names: [(String, String)] = [
    ("--http-soket :1", "`--http-soket` is not an option; did you mean --http-socket?"),
    ("--htpt-socket :1", "`--htpt-socket` is not an option; did you mean --http-socket?"),
    ("--http_socket=:1", "`--http_socket` is not an option; did you mean --http-socket?"),
    ("--HTTP-SOCKET :1", "`--HTTP-SOCKET` is not an option; did you mean --http-socket?"),
    ("--keep-alive 3", "`--keep-alive` is not an option; did you mean --keep-alive-timeout?"),
    ("--procesess 3", "`--procesess` is not an option; did you mean --processes?"),
    ("--esgi m", "`--esgi` is not an option; see --help"),
    ("--deamonize l", "`--deamonize` is not an option; did you mean --daemonize?"),
    ("--log-buffering 3", "`--log-buffering` is not an option; see --help"),
    ("--no-masters", "`--no-masters` is not an option; did you mean --no-master?"),
    (
      "--https2 addr=:443",
      "`--https2 addr=:443`: uWSGI would listen with TLS, and nothing here does; use https-socket; write "
        + "tls-cert and tls-key once for each certificate of several names"
    ),
    ("--frobnicate", "`--frobnicate` is not an option; see --help"),
    ("-app x.so", "`-app` is not an option; did you mean --app?"),
    ("-protocol http", "`-protocol` is not an option; did you mean --protocol?"),
    ("-Q", "`-Q` is not an option; see --help"),
    ("-LQ", "`-LQ` is not an option; see --help"),
    ("x.so", "`x.so` is not expected here; write --app x.so"),
    ("serve", "`serve` is not expected here; options begin with --; see --help"),
    ("--", "`--` is not expected here; options begin with --; see --help"),
    ("--chmod-socket rw", "`rw` is not expected here; options begin with --; see --help"),
  ]

  static let whole: [(String, String)] = [
    (
      "--app a.so --https :443",
      "the socket :443 is to speak TLS and has no certificate; write --https-socket :443,CERT,KEY, "
        + "or add --tls-cert and --tls-key"
    ),
    (
      "--app a.so --https-socket :443 --tls-cert a.pem --tls-cert b.pem --tls-key a.key",
      "there are 2 of --tls-cert and 1 of --tls-key; give each certificate its key, in the same order, or "
        + "all of them in the certificates' files"
    ),
    (
      "--app a.so --http-socket :80 --acme-webroot /w",
      "no socket would answer challenges from /w; add --http-redirect 0.0.0.0:80"
    ),
    (
      "--app a.so --http-socket :80 --hsts 60",
      "`--hsts` is for sockets that speak TLS, and there is none; add --https-socket 0.0.0.0:443,CERT,KEY; "
        + "where a front end speaks TLS: --add-header 'Strict-Transport-Security: max-age=60'"
    ),
    (
      "--app a.so --https-socket :443,a,b --tls-crl l.pem",
      "no socket asks clients for certificates, which l.pem could revoke; add --tls-client-ca FILE"
    ),
    (
      "--app a.so --http-socket :80 --tls-ocsp a.ocsp",
      "no socket would present a.ocsp; add --https-socket 0.0.0.0:443"
    ),
    (
      "--app a.so --http-socket :80 --tls-cert a.pem",
      "no socket would present a.pem; add --https-socket 0.0.0.0:443"
    ),
    (
      "--http-socket :1",
      "no application: there is nothing to serve; add --app PATH, the shared library to serve, "
        + "or -w MODULE for Python"
    ),
    (
      "--app a.so",
      "no socket: there is nowhere to listen; add --http-socket 127.0.0.1:8080, or another of the "
        + "socket options"
    ),
    (
      "--check-config --app a.so",
      "no socket: there is nowhere to listen; add --http-socket 127.0.0.1:8080, or another of the "
        + "socket options"
    ),
    (
      "--app a.so --cgi --http :1",
      "`--cgi` answers one request from its environment and cannot listen as well; leave out --cgi, "
        + "or the sockets"
    ),
    (
      "--app a.so --http :1 --no-master -p 2",
      "2 workers cannot be had without a master; leave out --no-master, or write -p 1"
    ),
    (
      "--app a.so --http :1 --scgi-socket :1",
      "two sockets are to listen at :1; take one of them out, or change its address"
    ),
    (
      "--ini none.ini",
      "`--ini none.ini`: cannot read none.ini: no such file; check the path and its permissions"
    ),
  ]

  @Test(arguments: (values + names + whole).indices) func oneSentenceAndTheFix(_ row: Int) {
    let (line, sentence) = (Self.values + Self.names + Self.whole)[row]
    #expect(complaint(line) == sentence)
  }

  @Test func allExitWithOne() {
    for (line, _) in Self.values + Self.names + Self.whole {
      #expect(throws: ConfigError.self) { try invoke(words(line)) }
      do { _ = try invoke(words(line)) } catch { #expect(error.exitCode == 1) }
    }
  }
}
