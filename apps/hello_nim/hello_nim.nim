# The plain form in Nim. What its modules do at first is done when the library is loaded, by a constructor.
# With ARC there is no collector that would have to know of threads. Build it with
# --app:lib --mm:arc --threads:off.

# Nim writes a prototype of application of its own, without const.
{.emit: """/*INCLUDESECTION*/
#define NSGI_NO_PROTOTYPES
#include <nsgi.h>
""".}

type
  Write = proc(bytes: pointer, n: csize_t): cint {.cdecl.}
  StartResponse = proc(status: cstring, headers: ptr cstring): Write {.cdecl.}
  Environ {.importc: "nsgi_environ", header: "<nsgi.h>".} = object
    get: proc(name: cstring): cstring {.cdecl.}

const text = cstring("Hello World!\n")
let headers = [cstring("Content-Type"), cstring("text/plain"), nil]
var nowhere: ptr int

proc application(environ: ptr Environ, startResponse: StartResponse): cint {.cdecl, exportc, dynlib.} =
  if environ.get("PATH_INFO") == cstring("/crash"):
    nowhere[] = 1
  startResponse("200 OK", unsafeAddr headers[0])(text, csize_t(text.len))
