// What the tests of the loader share: a host that offers nothing, and places that clean up after
// themselves.
import CNSGI
import Foundation
import Support
import Testing

@testable import Host

/// A host table of any version, without functions: loading calls none of them.
final class BareHost {
  let table: UnsafeMutablePointer<nsgi_host>

  init(major: UInt16 = UInt16(NSGI_MAJOR), minor: UInt16 = UInt16(NSGI_MINOR)) {
    table = .allocate(capacity: 1)
    table.initialize(to: nsgi_host())
    table.pointee.head = nsgi_head(
      magic: UInt32(NSGI_MAGIC), major: major, minor: minor, size: UInt32(MemoryLayout<nsgi_host>.size),
      flags: 0)
  }

  deinit { table.deallocate() }
}

/// A folder for the operator's files, a runtime directory and a host; all gone afterwards.
final class LoaderBench {
  let folder: TemporaryFolder
  let runtime: RuntimeDirectory
  let host: BareHost

  init(host: BareHost = BareHost()) throws {
    folder = try TemporaryFolder()
    runtime = try RuntimeDirectory.create(in: folder.path)
    self.host = host
  }

  deinit { runtime.remove() }

  /// The operator's own copy of a fixture, which a test may damage.
  func place(_ fixture: String, as name: String = "app.so") throws -> String {
    try place(try Data(contentsOf: URL(fileURLWithPath: try FixtureApp.path(fixture))), as: name)
  }

  @discardableResult
  func place(_ bytes: Data, as name: String = "app.so") throws -> String {
    let path = folder.file(name)
    try bytes.write(to: URL(fileURLWithPath: path))
    return path
  }

  func load(
    _ path: String, symbol: String? = nil, options: [Generation.Option] = [], number: UInt32 = 1
  ) throws(LoadError) -> Generation {
    try Generation.load(
      AppReference(path: path, symbol: symbol), options: options, number: number, host: host.table,
      runtime: runtime)
  }

  /// The error of a load that has to fail, whose sentence is fit to be read.
  func refusal(_ path: String, symbol: String? = nil) throws -> LoadError {
    do throws(LoadError) { try load(path, symbol: symbol).start() } catch {
      #expect(error.description.contains(path), "\(error)")
      #expect(!error.description.contains("\n"), "\(error)")
      #expect(!error.description.contains(runtime.path), "names the private copy: \(error)")
      return error
    }
    throw Loaded(path: path)
  }

  struct Loaded: Error { let path: String }
}

extension Generation {
  /// Calls the application without a request, which these fixtures do not look at.
  func callBlindly() -> Int32 {
    switch form {
    case .plain(let function): function(nil) { _, _ in { _, count in Int32(count) } }
    case .full(let app): app.call(state, nil)
    }
  }
}
