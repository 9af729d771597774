// The Swift kit for applications: conform to App, export one function, build a dynamic library.
//
//   import NSGI
//
//   struct Hello: ConcurrentApp {
//     init(_ boot: Boot) {}
//     func respond(to request: borrowing Request) -> Response { .text("Hello World!\n") }
//   }
//
//   @c(nsgi_entry) public func entry(_ host: HostTable?) -> AppTable? { Hello.entry(host) }
import CNSGI

/// The host's functions, as the server hands them to `nsgi_entry`.
public typealias HostTable = UnsafePointer<nsgi_host>
/// An application's functions, as `nsgi_entry` returns them.
public typealias AppTable = UnsafePointer<nsgi_app>

/// An application: made once in each worker process, then asked once for each request.
///
/// The server makes one call at a time. An application that is `Sendable` says so with `ConcurrentApp`
/// and is called on several threads at once; one that waits for others a lot is an `AsyncApp`.
public protocol App: AppLifecycle {
  /// Answers one request. May wait: the server goes on with others meanwhile. An `Abort` becomes its
  /// status; any other error is logged, and the client gets a 500 or, if part of a response has gone out,
  /// a cut connection.
  func respond(to request: borrowing Request) throws -> Response
}

extension App {
  /// The application's table, for `nsgi_entry`. Made anew at each call, and never freed: a server calls it
  /// once for each load.
  public static func entry(_ host: HostTable?) -> AppTable? {
    guard host != nil else { return nil }
    return Kit.makeTable(Self.self, flags) { SyncService(try Self($0), $1) }
  }
}

/// An application that may be called on several threads at once; the compiler checks that this is safe.
public protocol ConcurrentApp: App, Sendable {}

extension ConcurrentApp {
  /// Thread-safe, by being `Sendable`.
  public static var flags: AppFlags { [.threadSafe] }
}

/// Promises of an application to the server (nsgi.h, nsgi_app_flags).
public struct AppFlags: OptionSet, Sendable {
  /// The bits of nsgi.h.
  public let rawValue: UInt32
  /// From the bits of nsgi.h.
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// `respond` may run on several threads at once; comes with `ConcurrentApp`.
  public static let threadSafe = AppFlags(rawValue: NSGI_THREADSAFE.rawValue)
  /// `respond` is called as soon as the request's head is in, and reads the body as it comes.
  public static let streamsBody = AppFlags(rawValue: NSGI_STREAMS_IN.rawValue)
  /// Functions of the server throw `HostError.again` where they would have to wait.
  public static let neverWaits = AppFlags(rawValue: NSGI_NONBLOCKING.rawValue)
  /// Requests may be answered after the call for them has returned; comes with `AsyncApp`.
  public static let answersLater = AppFlags(rawValue: NSGI_MAY_ASYNC.rawValue)
}
