// The same answer in Swift: an app is a type that answers requests, and one exported function.
import NSGI

struct Hello: ConcurrentApp {
  init(_ boot: Boot) {}

  func respond(to request: borrowing Request) -> Response { .text("Hello World!\n") }
}

@c(nsgi_entry) public func entry(_ host: HostTable?) -> AppTable? { Hello.entry(host) }
