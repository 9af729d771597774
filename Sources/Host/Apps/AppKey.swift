import CTLS
import Config
import Control
import Glibc

/// The key of `--app-key`: with it only builds that it has signed are loaded. OpenSSL checks them, in the
/// library that sockets with TLS use too; no master ever does.
struct AppKey: @unchecked Sendable {
  /// The file that it was read from, as the operator named it.
  let path: String
  private let text: String
  /// The suffix of a file's name that names its signature.
  private let ending: String

  /// This process's; written once, before anything of an application is loaded.
  nonisolated(unsafe) private(set) static var shared: AppKey?

  /// Takes the key that the settings name, if they name one, from files that were read earlier.
  static func take(_ settings: Settings, _ files: [HandedFile]) throws(ServerFailure) {
    guard let path = settings.supervision.appKey else { return shared = nil }
    guard let file = files.first(where: { $0.path == path }) else {
      throw ServerFailure("internal error: the key \(path) was not handed over")
    }
    try TLSLibrary.load(settings.pluginDirectories)
    shared = try AppKey(file)
  }

  /// Makes a key; if none can be made, the start ends.
  init(_ file: HandedFile) throws(ServerFailure) {
    (path, text) = (file.path, file.text)
    var reason = ""
    let kind = Self.said(&reason) { words, room in
      Self.withFile(file.path, Array(file.text.utf8)) { key in
        var key = key
        return TLSLibrary.table?.pointee.key_kind(&key, words, room) ?? CTLS_NO_KEY
      }
    }
    switch kind {
    case CTLS_KEY_PEM: ending = ".sig"
    case CTLS_KEY_MINISIGN: ending = ".minisig"
    default: throw ServerFailure(reason)
    }
  }

  /// The place of the signature of an operator's file.
  func signature(of path: String) -> String { path + ending }

  /// The signature at that place.
  func readSignature(of path: String) throws(LoadError) -> [UInt8] {
    let place = signature(of: path)
    do throws(SystemError) { return try AppKey.read(place) } catch {
      if error.code == ENOENT || error.code == ENOTDIR {
        throw .unsigned(path: path, signature: place, key: self.path)
      }
      let isOther = [EFBIG, EISDIR, ENOTSUP].contains(error.code)
      throw .unreadable(path: place, reason: isOther ? "it is no signature" : error.reason)
    }
  }

  /// The signature that was kept with a private copy of an operator's file. A copy from before there was a
  /// key has none.
  func keptSignature(beside copy: String, of source: String) throws(LoadError) -> [UInt8] {
    let place = Self.signaturePlace(beside: copy)
    do throws(SystemError) { return try AppKey.read(place) } catch {
      if error.code == ENOENT { throw .unsigned(path: source, signature: signature(of: source), key: path) }
      throw .unreadable(path: place, reason: error.reason)
    }
  }

  /// Whether two private copies have the same signature.
  static func areSame(_ one: String, _ other: String) -> Bool {
    guard let first = try? read(signaturePlace(beside: one)) else { return false }
    return first == (try? read(signaturePlace(beside: other)))
  }

  private static func signaturePlace(beside copy: String) -> String {
    "\(Paths.directory(of: copy))/\(AppSettings.signatureName)"
  }

  /// Bytes of a signature at most: those of minisign have two comments.
  private static let mostBytes = 16 * 1024

  private static func read(_ path: String) throws(SystemError) -> [UInt8] {
    try System.contents(of: path, most: mostBytes)
  }

  /// Checks the bytes of a private copy, which are the ones that are loaded.
  func check(_ copy: PrivateCopy, _ signature: [UInt8]) throws(LoadError) {
    var reason = ""
    do throws(SystemError) {
      let fd = try System.openForReading(copy.path)
      defer { System.close(fd) }
      let size = Int(try System.fileSize(fd))
      guard size > 0 else { throw SystemError("read", ENODATA) }
      let address = try System.mapFile(fd, size)
      defer { System.unmapFile(address, size) }
      let name = self.signature(of: copy.source)
      let isSigned = Self.said(&reason) { words, room in
        Self.withFile(path, Array(text.utf8)) { key in
          Self.withFile(name, signature) { signature in
            var what = ctls_signature(key: key, signature: signature, bytes: address, count: size)
            return TLSLibrary.table?.pointee.verify(&what, words, room) ?? 0
          }
        }
      }
      if isSigned == 1 { return }
    } catch { throw .unreadable(path: copy.path, reason: error.reason) }
    throw .badSignature(path: copy.source, reason: reason)
  }

  /// The result of a function of the library, and the sentence that it has written.
  private static func said<Answer>(
    _ reason: inout String, _ call: (UnsafeMutablePointer<CChar>, Int) -> Answer
  ) -> Answer {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 2048) { words in
      words[0] = 0
      let answer = call(words.baseAddress!, words.count)
      reason = String(cString: words.baseAddress!)
      return answer
    }
  }

  private static func withFile<Answer>(
    _ name: String, _ bytes: [UInt8], _ body: (ctls_file) -> Answer
  ) -> Answer {
    name.withCString { name in
      bytes.withUnsafeBytes { bytes in
        // An empty file has an address too: that is not the same as absent.
        let address = bytes.bindMemory(to: CChar.self).baseAddress ?? name
        return body(ctls_file(name: name, bytes: address, count: bytes.count))
      }
    }
  }
}
