// The plain form in Go. A Go runtime starts when the library is loaded, and knows what to do on any thread
// that comes in. Build it with -buildmode=c-shared.
package main

/*
// Go writes a prototype of application of its own, without const.
#define NSGI_NO_PROTOTYPES
#include <nsgi.h>

// Go calls no pointers to functions of C: these do.
static inline const char *get(const nsgi_environ *environ, const char *name) { return environ->get(name); }
static inline int answer(nsgi_start_response start_response, const char *text, size_t n) {
  static const char *const headers[] = {"Content-Type", "text/plain", NULL};
  return start_response("200 OK", headers)(text, n);
}
*/
import "C"

import "unsafe"

var (
	text     = []byte("Hello World!\n")
	pathInfo = C.CString("PATH_INFO")
)

//export application
func application(environ *C.nsgi_environ, startResponse C.nsgi_start_response) C.int {
	if C.GoString(C.get(environ, pathInfo)) == "/crash" {
		var nothing *int
		*nothing = 1
	}
	return C.answer(startResponse, (*C.char)(unsafe.Pointer(&text[0])), C.size_t(len(text)))
}

func main() {}
