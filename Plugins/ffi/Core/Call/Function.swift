// A function that is ready to be called: found in its library, described to libffi, its callbacks made.
import CFFI
import Synchronization

/// `int f(...)`, whatever its type: what libffi calls.
typealias CodePointer = @convention(c) () -> Void

/// Where the addresses of one signature are. Made by the library that was opened, or by a test.
struct Symbols {
  var code: CodePointer
  /// The functions of `free=`, by name.
  var free: [String: FreeFunction] = [:]
}

/// One function, ready.
final class Function: @unchecked Sendable {
  // Everything is constant after init; libffi only reads `interface`.
  let signature: Signature
  let code: CodePointer
  let interface: UnsafeMutablePointer<ffi_cif>
  let free: [String: FreeFunction]
  /// By parameter.
  let pools: [String: CallbackPool]
  /// Names of the parameters of which another parameter is the length.
  let measured: Set<String>

  /// Why a function cannot be made ready.
  enum Refusal: Error, Equatable, CustomStringConvertible {
    case layout(symbol: String)
    case closures(parameter: String)

    var description: String {
      switch self {
      case .layout(let symbol):
        "libffi lays out the types of \(symbol) differently; check the signature's structs"
      case .closures(let parameter):
        "no memory for code, which the callback \(parameter) needs: the system forbids both writable code and"
          + " memory files (memfd); allow one of them"
      }
    }
  }

  init(_ signature: Signature, _ symbols: Symbols) throws(Refusal) {
    self.signature = signature
    code = symbols.code
    free = symbols.free
    measured = Set(
      signature.parameters.compactMap { if case .length(let name) = $0.binding { name } else { nil } })
    var pools: [String: CallbackPool] = [:]
    var types: [FFIType] = []
    // libffi has laid them out when the interface is prepared: it has to agree with us.
    var plains: [(PlainType, FFIType)] = []
    for parameter in signature.parameters {
      switch parameter.type {
      case .plain(let plain):
        let type = FFITypes.type(of: plain)
        plains.append((plain, type))
        types.append(type)
      case .bytes where !measured.contains(parameter.name): types += [cffi_pointer(), cffi_u64()]
      case .callback(let type):
        guard let pool = CallbackPool(type) else { throw .closures(parameter: parameter.name) }
        pools[parameter.name] = pool
        types.append(cffi_pointer())
      default: types.append(cffi_pointer())
      }
    }
    let result = FFITypes.type(of: signature.result)
    guard let interface = FFITypes.interface(types, result) else { throw .layout(symbol: signature.symbol) }
    for (plain, type) in plains where type.pointee.size != plain.size {
      throw .layout(symbol: signature.symbol)
    }
    if case .plain(let plain) = signature.result, result.pointee.size != plain.size {
      throw .layout(symbol: signature.symbol)
    }
    self.interface = interface
    self.pools = pools
  }

  var maxBytes: Int { signature.attributes.maxBytes ?? Attributes.defaultMaxBytes }

  /// The function that takes back what `ownership` says; nil for what stays the library's.
  func release(_ ownership: Ownership) -> FreeFunction? {
    switch ownership {
    case .borrowed: nil
    case .free(let symbol): free[symbol]
    }
  }
}
