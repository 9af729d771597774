import Glibc

/// libcrypt, loaded when the first password is asked for: a server without accounts does not need it.
struct PasswordLibrary: @unchecked Sendable {
  typealias Function =
    @convention(c) (
      UnsafePointer<CChar>, UnsafePointer<CChar>, UnsafeMutableRawPointer, Int32
    ) -> UnsafeMutablePointer<CChar>?

  static let shared = PasswordLibrary()

  private let function: Function
  /// Bytes of a `struct crypt_data`; each call has one of its own.
  private static let roomBytes = 32_768

  private init?() {
    guard let function = System.function("crypt_rn", of: ["libcrypt.so.1", "libcrypt.so.2"]) else {
      return nil
    }
    self.function = unsafeBitCast(function, to: Function.self)
  }

  /// Any thread: the hash of a password with the salt and the cost of another hash.
  func hash(_ password: [UInt8], like setting: String) -> [UInt8]? {
    let room = UnsafeMutableRawPointer.allocate(byteCount: Self.roomBytes, alignment: 16)
    defer { room.deallocate() }
    room.initializeMemory(as: UInt8.self, repeating: 0, count: Self.roomBytes)
    let made = (password + [0]).withUnsafeBytes { password in
      setting.withCString { setting in
        function(
          password.baseAddress!.assumingMemoryBound(to: CChar.self), setting, room, Int32(Self.roomBytes))
      }
    }
    return made.map { Array(UnsafeRawBufferPointer(start: $0, count: strlen($0))) }
  }
}

extension System {
  /// A function of the first of these libraries that exists. The corresponding C functions are `dlopen` and
  /// `dlsym`.
  fileprivate static func function(_ name: String, of libraries: [String]) -> UnsafeMutableRawPointer? {
    for library in libraries {
      if let handle = dlopen(library, RTLD_NOW | RTLD_LOCAL) { return dlsym(handle, name) }
    }
    return nil
  }
}
