// my_app: an application for nsgi-server. border.c is the way here from C.
package main

// #include "border.h"
import "C"

import (
	"fmt"
	"unsafe"
)

// answer is what a request gets. It runs on several threads at once.
func answer(method, path string) (status int, text string) {
	if path != "/" {
		return 404, "There is nothing here.\n"
	}
	return 200, "Hello World!\n"
}

//export goCall
func goCall(request *C.nsgi_request) (result C.int) {
	// No panic may leave it: this one is logged, and the client gets a 500.
	defer func() {
		if reason := recover(); reason != nil {
			line := fmt.Sprint("panic: ", reason)
			C.log_error(request.id, data(line), C.size_t(len(line)))
			result = C.NSGI_FAIL
		}
	}()
	status, text := answer(from(request.method), from(request.path_info))
	return C.respond(request, C.int(status), data(text), C.size_t(len(text)))
}

// from copies a text of the server, which lends it for as long as the request lasts.
func from(text C.nsgi_str) string {
	return C.GoStringN(text.p, C.int(text.n))
}

// data lends a text to a function of C, which copies it.
func data(text string) *C.char {
	bytes := []byte(text)
	if len(bytes) == 0 {
		return nil
	}
	return (*C.char)(unsafe.Pointer(&bytes[0]))
}

func main() {}
