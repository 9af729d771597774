// Types as libffi describes them. Descriptions live for ever: calls and closures point to them.
import CFFI

typealias FFIType = UnsafeMutablePointer<ffi_type>

enum FFITypes {
  static func type(of plain: PlainType) -> FFIType {
    switch plain {
    case .scalar(let scalar): scalar.ffiType
    case .structure(let structure): type(of: structure)
    }
  }

  /// A struct; an array inside is as many members.
  private static func type(of structure: StructType) -> FFIType {
    var members: [FFIType?] = []
    for field in structure.fields {
      let member = type(of: field.type)
      members += Array(repeating: member, count: field.count ?? 1)
    }
    let elements = UnsafeMutablePointer<FFIType?>.allocate(capacity: members.count + 1)
    elements.initialize(repeating: nil, count: members.count + 1)
    for (index, member) in members.enumerated() { elements[index] = member }
    let type = FFIType.allocate(capacity: 1)
    type.initialize(to: ffi_type())
    type.pointee.type = UInt16(FFI_TYPE_STRUCT)
    type.pointee.elements = elements
    return type
  }

  static func type(of result: ResultType) -> FFIType {
    switch result {
    case .void: cffi_void()
    case .plain(let plain): type(of: plain)
    case .text, .pointer, .handle: cffi_pointer()
    }
  }

  /// A prepared call; it and its types live for ever. nil if libffi refuses them.
  static func interface(_ arguments: [FFIType], _ result: FFIType) -> UnsafeMutablePointer<ffi_cif>? {
    let types = UnsafeMutablePointer<FFIType?>.allocate(capacity: max(arguments.count, 1))
    types.initialize(repeating: nil, count: max(arguments.count, 1))
    for (index, type) in arguments.enumerated() { types[index] = type }
    let interface = UnsafeMutablePointer<ffi_cif>.allocate(capacity: 1)
    interface.initialize(to: ffi_cif())
    let status = ffi_prep_cif(interface, FFI_DEFAULT_ABI, UInt32(arguments.count), result, types)
    return status == FFI_OK ? interface : nil
  }
}
