import CNSGI

/// What every kind of application has: a beginning, a name, and the turns of a swap.
public protocol AppLifecycle {
  /// Prepares the application, before any request. Throwing stops the server's start, or refuses the swap;
  /// the operator sees the error's description.
  init(_ boot: Boot) throws

  /// For logs and statistics; the type's name unless given.
  static var name: String { get }
  /// The application's own version; empty unless given.
  static var version: String { get }
  /// What it promises to the server; nothing unless given.
  static var flags: AppFlags { get }

  /// Looks whether it is fit to serve, before the first request. Throwing refuses the swap to this build;
  /// the error is logged.
  func probe() throws

  /// Writes what the next build should know, which finds it in `Boot.previous`. Requests may go on
  /// meanwhile.
  func save(to sink: StateSink) throws

  /// No new request will come.
  func drain()

  /// A thread of the server is about to make its first call, or has made its last.
  func thread(entering: Bool)
}

extension AppLifecycle {
  /// The type's name.
  public static var name: String { String(describing: Self.self) }
  /// Empty.
  public static var version: String { "" }
  /// None.
  public static var flags: AppFlags { [] }
  /// Fit.
  public func probe() throws {}
  /// Nothing.
  public func save(to sink: StateSink) throws {}
  /// Goes on.
  public func drain() {}
  /// Takes no notice.
  public func thread(entering: Bool) {}
}

/// Takes the bytes of `save`; valid until that returns.
public struct StateSink {
  typealias Function = @convention(c) (UnsafeMutableRawPointer?, UnsafeRawPointer?, Int) -> Int32
  private let function: Function
  private let argument: UnsafeMutableRawPointer?

  init(_ function: @escaping Function, _ argument: UnsafeMutableRawPointer?) {
    (self.function, self.argument) = (function, argument)
  }

  /// Adds bytes.
  public func write(_ bytes: [UInt8]) throws(HostError) {
    try HostError.check(bytes.withUnsafeBytes { function(argument, $0.baseAddress, $0.count) })
  }

  /// Adds text.
  public func write(_ text: String) throws(HostError) { try write(Array(text.utf8)) }
}
