// Every number that bounds the server, in one place: unit in the name, default, precedent.
// The options that change them are in Options/LimitOptions.swift.

/// The bounds the server keeps. All are per worker unless they say otherwise.
public struct Limits: Sendable, Equatable {
  // MARK: Requests

  /// Whole head of a request in bytes: request line and fields, or the block of variables; beyond it 431, or
  /// 414 if the request line alone is longer. RFC 9112 §3 requires at least 8000 for the latter. Precedent:
  /// `-b/--buffer-size` of uWSGI, at most 65535; nginx 4 buffers of 8 KiB; lighttpd 8 KiB; Tomcat 8 KiB.
  public var headBytes = 64 * 1024

  /// Header fields or variables of one head; beyond it 431. Precedent: Apache `LimitRequestFields` 100,
  /// uWSGI `-v` 100.
  public var headerFields = 256

  /// One chunk-size line with its extensions, in bytes; beyond it 400. Precedent: Go's net/http 4096.
  public var chunkLineBytes = 4096

  /// Request body in bytes; beyond it 413. Precedent: Apache `LimitRequestBody` 1 GiB; uWSGI
  /// `--limit-post`.
  public var bodyBytes: Int64 = 1 << 30

  /// The part of a request body that is kept in memory; a longer body is spooled to an unlinked file.
  /// Precedent: uWSGI `--post-buffering`; lighttpd spools above 64 KiB, nginx above 16 KiB.
  public var bodyMemoryBytes = 1 << 20

  /// Bytes of all files together to which request bodies and waiting answers are spooled, in the whole
  /// server; beyond it 503, and 413 for a body that never fits. Precedent: nginx's `proxy_max_temp_file_size`
  /// 1 GiB, for each request.
  public var spoolBytes: Int64 = 8 << 30

  /// Pipelined requests answered on one connection before the loop turns to others, so that none starves
  /// them.
  public var pipelinedRequestsPerTurn = 16

  // MARK: TLS

  /// The most authorities between a client's certificate and a trusted one (`--tls-verify-depth`); a client
  /// with more of them is refused. Precedent: Apache `SSLVerifyDepth`, nginx `ssl_verify_depth` and uWSGI: 1.
  public static let tlsClientDepth = 1

  // MARK: Responses

  /// Head of a response in bytes; an app that sends more gets an error, its client 500. Precedent: equal to
  /// `headBytes`. Front ends accept less by default: nginx 4 or 8 KiB (`*_buffer_size`), Apache 8190 a line.
  public var responseHeadBytes = 64 * 1024

  /// Response bytes waiting in memory for one slow client before the app is made to wait.
  /// Precedent: Apache `FlushMaxThreshold` 64 KiB, waitress `outbuf_overflow` 1 MiB.
  public var responseBufferBytes = 1 << 20

  /// A file for `X-Sendfile` that occupies no disk space, such as one in /proc, is read up to this many bytes
  /// to find its length; for a longer one the reported size is believed.
  public var unsizedFileBytes = 1 << 20

  /// Bytes of the words with which a runtime names the program that its applications run in, and tells it
  /// what it needs: a whole configuration twice (`env` and `uwsgi.opt`), at most 8 MiB, and its own files.
  public static let programWordsBytes = 20 << 20

  /// Bytes of a file of media types (`--mimefile`); a longer one ends the start.
  public var typeFileBytes = 1 << 20

  /// Bytes of a page for an error (`--error-page`); a longer one ends the start.
  public var errorPageBytes = 64 * 1024

  /// Bytes of a file of accounts (basicauth); a longer one ends the start.
  public var accountFileBytes = 1 << 20

  /// Ranges in one request for a file; a request for more gets the whole file. Precedent: Apache `MaxRanges`
  /// 200, nginx `max_ranges` without a limit.
  public var fileRanges = 32

  /// Bytes of an answer of several ranges, which the event loop assembles in memory; beyond it the whole file
  /// is sent (RFC 9110 §14.2).
  public var multipartBytes: Int64 = 1 << 20

  /// A file of at most this many bytes is kept in memory.
  public var cachedFileBytes = 64 * 1024

  /// Bytes of all files that a worker keeps in memory. Precedent: nginx keeps only descriptors; h2o nothing.
  public var fileCacheBytes = 16 << 20

  /// Bytes of a file, or of the answers of an HTTP/2 connection, that one connection gets before the others
  /// have their turn, however fast its client is. Precedent: nginx `sendfile_max_chunk` 2 MiB.
  public var fileBytesPerTurn: Int64 = 2 << 20

  /// Files that a worker holds open between two requests for them, at most 1 in 32 of its descriptors.
  /// Precedent: nginx `open_file_cache`, off by default.
  public var openFiles = 256

  // MARK: Time

  /// Seconds that the master waits at its end for children that it has killed: the kernel may hold them.
  public static let lastSeconds = 5.0

  /// Seconds for a whole request head, from its first byte (or from accept); beyond it 408.
  /// Precedent: Apache `RequestReadTimeout` 20-40, nginx 60, lighttpd 60.
  public var headerTimeoutSeconds = 30.0

  /// Seconds between two reads of a request body; beyond it 408. Precedent: nginx `client_body_timeout` 60.
  public var bodyTimeoutSeconds = 60.0

  /// The speed at which a body has to come, in bytes per second; below it, once `minRateGraceSeconds` are
  /// used up, 408; 0: at any speed. Precedent: Kestrel `MinRequestBodyDataRate` 240, Apache
  /// `RequestReadTimeout` 500.
  public var bodyMinRate = 240

  /// The speed at which a client has to take its answer, in bytes per second; below it, once the grace is
  /// used up, the connection is closed; 0: at any speed. Precedent: Kestrel `MinResponseDataRate` 240.
  public var writeMinRate = 240

  /// How many seconds a client may fall behind these speeds. Precedent: Kestrel 5, Apache 20.
  public var minRateGraceSeconds = 30.0

  /// Seconds without a byte of the response being taken; beyond it the connection is closed. Precedent: nginx
  /// `send_timeout` 60.
  public var writeTimeoutSeconds = 60.0

  /// Seconds a connection stays open between requests; 0 closes after each response. It must exceed the
  /// idle time of the front end's upstream connections (nginx 60), or a request may meet the close.
  /// Precedent: nginx 75, Node 65 by custom.
  public var keepAliveTimeoutSeconds = 65.0

  /// Seconds a closing connection goes on reading while nothing comes, so that no answer is lost to a reset.
  /// Precedent: nginx `lingering_timeout` 5, Apache 2.
  public var lingerSeconds = 5.0

  /// The most seconds a closing connection goes on reading, whatever comes. Precedent: nginx `lingering_time`
  /// 30, Apache 30.
  public var lingerTotalSeconds = 30.0

  /// The most bytes a closing connection reads and drops: as many as a body may have. No precedent.
  public var lingerBytes = 1 << 30

  /// Seconds without a request after which a worker that leaves its place to others closes a connection kept
  /// by a FastCGI front end: the front end cannot be told, and may be sending. No precedent.
  public var quietSeconds = 0.5

  /// Seconds between the last bytes of a body that was cut and the reset: a front end that finds both at once
  /// may miss the reset. No precedent: long enough for a busy one, and no client waits for it.
  public var resetDelaySeconds = 0.05

  /// Seconds after which a worker that leaves its place to others tells the apps that nothing more comes
  /// (`drain`), although an answer is running whose client was promised another turn: such a stream may last
  /// until it is told. No precedent.
  public var drainSeconds = 5.0

  /// Seconds for running requests when the server is told to stop; then they are cut off. Precedent: uWSGI
  /// `--worker-reload-mercy` 60.
  public var gracefulSeconds = 60.0

  /// Seconds for destructors and atexit handlers of applications at a graceful end. No precedent.
  public static let endSeconds = 2.0

  // MARK: WebSockets

  /// The most bytes of a client's message, before and after decompression; beyond it 1009. Precedent:
  /// `websockets` 1 MiB, uvicorn 16 MiB, ws 100 MiB.
  public var webSocketMessageBytes = 16 << 20

  /// The most frames of a message; beyond it 1008. No precedent.
  public var webSocketFragments: UInt32 = 1 << 20

  /// Open at once; further ones get 503. 0: as many as there are connections. No precedent.
  public var webSockets = 0

  /// Concurrent calls of WSGI applications for WebSockets if `webSockets` is 0; each has a thread. No
  /// precedent.
  public static let webSocketCalls = 256

  /// Such calls have threads of their own even if all others share one thread. Precedent: uWSGI's
  /// `http-websockets`.
  public var offersSocketsAtHome = false

  /// Origins of pages that may open some; empty: all. Precedent: Django Channels'
  /// `AllowedHostsOriginValidator`.
  public var webSocketOrigins: [WebSocketOrigin] = []

  /// Bytes that wait for a client before an application is told to wait too. Precedent: uWebSockets 64 KiB.
  public var webSocketQueueBytes = 1 << 20

  /// Seconds of silence before a client is asked whether it is still there, and again before its socket ends;
  /// 0: never. Precedent: uvicorn 20, uWebSockets 120.
  public var webSocketPingSeconds = 30.0

  /// Seconds that the sockets of a version that was replaced go on. No precedent.
  public var webSocketDrainSeconds = 0.0

  /// Seconds over which these are then closed, so that their clients do not come again all at once: a fixed
  /// part, and a share of the drain. No precedent.
  public static let (webSocketSpreadSeconds, webSocketSpreadShare) = (1.0, 0.125)

  /// Whether messages are compressed, if clients can.
  public var webSocketDeflate = WebSocketCompression.shared

  /// Bytes of a topic's name. No precedent.
  public static let topicNameBytes = 256

  /// Topics that a WebSocket may be under at once. No precedent.
  public static let topicsPerSocket = 64

  /// Bytes of a message for the sockets of all workers (`publish_all`); a longer one is refused. Precedent:
  /// NATS `max_payload` 1 MiB.
  public static let topicMessageBytes = 1 << 20

  /// Bytes of such messages that wait for one other worker; those that do not fit are dropped and counted.
  /// Precedent: Redis closes a subscriber with more than 32 MiB (`client-output-buffer-limit pubsub`).
  public static let topicQueueBytes = 4 << 20

  /// Messages taken from one other worker before the loop turns to others, and bytes received for them at a
  /// time. No precedent.
  public static let (topicMessagesPerTurn, topicReceiveBytes) = (64, 64 << 10)

  /// Seconds between two lines of the log about messages that were dropped for one worker. No precedent.
  public static let topicLineSeconds: UInt64 = 1

  // MARK: Sockets and threads

  /// Connections waiting to be accepted, per listener; the kernel caps it at `net.core.somaxconn`. Precedent:
  /// nginx 511, uWSGI 100 (`-l`), Go takes somaxconn (4096 today).
  public var backlog: Int32 = 1024

  /// Connections open at once; further ones wait in the backlog. HTTP/2 streams count among them; further
  /// ones are refused, as their clients may repeat (REFUSED_STREAM). Precedent: nginx `worker_connections`
  /// 512-10240.
  public var connections = 20_000

  /// Connections accepted from one listener before the loop turns to others. Precedent: libuv 1, Netty 16,
  /// nginx `multi_accept` all.
  public var acceptsPerTurn = 64

  /// Events taken from the kernel in one wait. Precedent: nginx `epoll_events` 512.
  public var eventsPerTurn = 512

  /// Concurrent calls of one thread-safe app. Precedent: Puma 5, waitress 4, Apache's event MPM 25.
  public var threads = 16

  /// Calls of one app that wait for slow clients and do not count among `threads`: each has a thread of its
  /// own for that time. No precedent.
  public var waitingCalls = 256

  /// Seconds an app may take for a request before it is cancelled and the client gets a 504; 0: as long
  /// as it likes. Precedent: `-t/--harakiri` of uWSGI, off by default.
  public var requestTimeoutSeconds = 0.0

  /// Seconds that a cancelled call has to return; then its thread counts as stuck and its worker is
  /// replaced. Precedent: uWSGI's `--harakiri-graceful-timeout`, off by default.
  public var cancelGraceSeconds = 2.0

  /// Microseconds that a call may hold the event loop before another thread takes the loop over.
  /// Precedent: Erlang asks native functions to return within 1 ms.
  public var handOffMicroseconds: UInt32 = 1000

  /// Seconds without io_uring after a call was handed off from a loop that had it; doubled each time for a
  /// ring that did not last.
  public var ringRestSeconds = 1.0

  /// The most seconds without io_uring.
  public var ringRestMostSeconds = 64.0

  /// Seconds after which a ring counts as having lasted.
  public var ringLastsSeconds = 10.0

  /// Requests of one app that wait for a call of it to end; beyond it 503. Precedent: uWSGI leaves them
  /// in the backlog (`-l`), Apache `ListenBacklog` 511.
  public var queuedRequests = 1024

  /// Requests of a worker that wait for their passwords to be checked (`basicauth`); beyond it 503. No
  /// precedent: others hash on the loop, or have a thread for each request.
  public var waitingPasswords = 64

  /// The defaults.
  public init() {}

  /// Bytes of a line of the request log, including its end: what a pipe takes in one piece (PIPE_BUF), so
  /// that the lines of several workers stay apart. The longest values of a longer one are cut.
  public static let requestLineBytes = 4096

  /// Lines about refused requests that a worker may write in a burst; then one per second. No precedent.
  public static let refusalLinesAtOnce = 10

  /// Seconds after which a line counts the refusals that had none. Precedent: the kernel's ratelimit 5.
  public static let refusalCountSeconds: UInt64 = 5

  /// Seconds after which a request of a new build counts as hanging, how many of them count against it if
  /// none took half as long before, and at which share of all requests. No precedent.
  public static let (hangSeconds, leastHangs, hangShare) = (5.0, 3, 0.01)

  /// Bytes of the heads that a worker remembers for a replay, all applications together, and bytes of one of
  /// them; a longer one is not remembered. No precedent.
  public static let (rememberedBytes, rememberedHeadBytes) = (4 << 20, 32 << 10)

  /// Seconds that a request may take to be remembered: a stream would hold up each replay. No precedent.
  public static let rememberedSeconds = 2.0

  /// Seconds in which workers that have remembered nothing so far gather requests (`ctl swap --replay`), and
  /// seconds that a worker has to hand over what it remembers. No precedent.
  public static let (replayGatherSeconds, recallSeconds) = (10.0, 1.0)

  /// Seconds that a replay goes on once all its copies are ready, and seconds that an answer of a serving
  /// build may take in it. A new build has ten times as long as that one took: at least these seconds, and at
  /// most twice as many. No precedent.
  public static let (replaySeconds, replayAnswerSeconds) = (20.0, 5.0)

  /// Bytes of the body of an answer that are compared; of a longer one only its hash counts. No precedent.
  public static let replayBodyBytes = 1 << 20

  /// Bytes of an answer after which a replay does not read on. No precedent.
  public static let replayAnswerBytes = 64 << 20

  /// Changes that `server ctl history` shows. No precedent.
  public static let changesKept = 100

  /// How many waits for events may fail in a row, a tenth of a second apart, before the master ends. No
  /// precedent.
  public static let failedWaits = 50

  /// Keys of a configuration, after its loops have been expanded. Precedent: uWSGI's `for` has no bound.
  public static let configurationKeys = 20_000

  /// Bytes of a configuration, after its files have been read and its references replaced. No precedent.
  public static let configurationBytes = 8 << 20

  /// Packets that the master takes from one worker or child before it turns to others. No precedent.
  public static let messagesPerTurn = 64

  /// Bytes of the kernel's reports on watched directories that the master takes before it turns to others:
  /// anyone who may write to such a directory can make any number of files there. No precedent.
  public static let fileEventBytesPerTurn = 64 << 10

  /// Packets from one worker per second; a worker that sends more is killed. It has to send only a handful in
  /// its life, and one for each `ctl status`. No precedent.
  public static let messagesPerSecond = 4096

  /// The same for a process that only reports why it cannot start, or what it has lost. No precedent.
  public static let messagesOfHelpersPerSecond = 64

  /// Bytes of the state that an application leaves to the next build. No precedent.
  public static let savedStateBytes: Int64 = 1 << 30

  /// Seconds between two reloads that applications ask for; further requests in the meantime become one
  /// reload after it. No precedent.
  public static let reloadPauseSeconds = 3.0
  /// The same in development, where somebody saves one file after another and looks.
  public static let developmentPauseSeconds = 0.1

  /// The highest value `connections` may take: the default `fs.nr_open` of Linux.
  public static let connectionsMaximum = 1_048_576
}

/// How messages of WebSockets are compressed (permessage-deflate, RFC 7692).
public enum WebSocketCompression: String, Sendable, CaseIterable {
  /// Not at all.
  case off
  /// Each message by itself: no socket has a window.
  case shared
  /// With the context of earlier messages: better, but up to 300 KB per socket.
  case dedicated
}
