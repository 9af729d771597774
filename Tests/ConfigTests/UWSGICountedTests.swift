import Testing

@testable import Config

/// The options that configurations in public repositories have, by what becomes of them. Whoever moves one
/// into another class changes what becomes of files that somebody has.
@Suite struct UWSGICountedTests {
  static let counted: [(category: UWSGIClass, names: String)] = [
    (
      .supported,
      """
      master processes workers module chdir socket threads buffer-size wsgi-file max-requests uid gid
      chmod-socket
      chown-socket http harakiri callable home virtualenv venv http-socket pidfile logto env plugin pythonpath
      disable-logging listen log-format reload-on-rss worker-reload-mercy post-buffering daemonize
      max-worker-lifetime py-autoreload reload-mercy socket-timeout protocol mount ini log-5xx log-4xx
      touch-reload show-config cpu-affinity max-fd umask uwsgi-socket lazy-apps strict static-map stats
      http-timeout http-keepalive logger req-logger auto-procname procname-prefix-spaced offload-threads
      cheaper
      gevent attach-daemon add-header master-fifo log-maxsize limit-as cache2 static-expires
      static-gzip-all
      check-static route route-if log-encoder log-route log-x-forwarded-for https cron unique-cron
      yaml include
      inherit http-websockets touch-chain-reload endif if-env if-not-env if-file
      """
    ),
    (
      .accepted,
      """
      vacuum enable-threads die-on-term single-interpreter need-app thunder-lock no-orphans memory-report
      ignore-sigpipe ignore-write-errors disable-write-exception harakiri-verbose log-master http-auto-chunked
      py-call-osafterfork no-defer-accept honour-stdin no-default-app master-as-root wsgi-disable-file-wrapper
      wsgi-env-behaviour manage-script-name print
      """
    ),
    (
      .warned,
      """
      hook-master-start vhost emperor subscribe-to alarm-segfault spooler mule
      harakiri-graceful-timeout http-enable-proxy-protocol
      """
    ),
  ]

  @Test("each is in the table, in its class, and none is refused", arguments: counted.indices)
  func classes(_ row: Int) {
    for name in Self.counted[row].names.split(whereSeparator: \.isWhitespace) {
      #expect(UWSGITable.find(name)?.0.category == Self.counted[row].category, "\(name)")
    }
  }
}
