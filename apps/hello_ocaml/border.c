/* The plain form for OCaml, which exports no functions of C. Its runtime starts when the library is
 * loaded. */
#include <nsgi.h>

#include <string.h>

#include <caml/alloc.h>
#include <caml/callback.h>
#include <caml/memory.h>
#include <caml/mlvalues.h>

__attribute__((constructor)) static void start(void) {
  char *const arguments[] = {"hello_ocaml", NULL};
  caml_startup((char **)arguments);
}

int application(const nsgi_environ *environ, nsgi_start_response start_response) {
  CAMLparam0();
  CAMLlocal2(path, text);
  static const char *const headers[] = {"Content-Type", "text/plain", NULL};
  const char *asked = environ->get("PATH_INFO");
  if (strcmp(asked, "/crash") == 0) *(volatile int *)NULL = 1;
  path = caml_copy_string(asked);
  text = caml_callback_exn(*caml_named_value("answer"), path);
  /* No exception may leave it. */
  if (Is_exception_result(text)) CAMLreturnT(int, NSGI_FAIL);
  CAMLreturnT(int, start_response("200 OK", headers)(String_val(text), caml_string_length(text)));
}
