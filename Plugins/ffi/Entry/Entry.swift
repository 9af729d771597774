// The one symbol of ffi_plugin.so; all else is FFICore, which tests can link.
import CNSGI
import FFICore

/// The table of the ffi runtime (nsgi.h, nsgi_entry).
@c(nsgi_entry) public func entry(_ host: UnsafePointer<nsgi_host>?) -> UnsafePointer<nsgi_app>? {
  FFIRuntime.entry(host)
}
