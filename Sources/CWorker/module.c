/* The extension module `nsgi_worker`, in the stable interface of CPython (PEP 384), which every build with
 * the interpreter's lock has had since 3.2. Its functions are looked up when it is loaded: whoever links the
 * library links no Python. */
#define _GNU_SOURCE
#include "CWorker.h"
#include <dlfcn.h>
#include <stddef.h>

typedef struct { const char *name; void *(*function)(void *, void *); int flags; const char *text; } Method;
typedef struct {
  struct { size_t count; void *type; void *init; size_t index; void *copy; } base;
  const char *name, *text;
  size_t size;
  Method *methods;
  void *slots, *traverse, *clear, *free;
} Module;

enum { takesNothing = 4, stableInterface = 3 };

static void *serve(void *module, void *nothing) {
  (void)module, (void)nothing;
  void *(*const unlock)(void) = (void *(*)(void))dlsym(RTLD_DEFAULT, "PyEval_SaveThread");
  unlock();
  nsgi_worker_serve();
  return NULL;
}

static Method methods[] = {{"serve", serve, takesNothing, "Serves until the server's master ends it."}, {0}};
static Module definition = {.base.count = 1, .name = "nsgi_worker", .size = (size_t)-1, .methods = methods};

__attribute__((visibility("default"))) void *PyInit_nsgi_worker(void) {
  void *(*const create)(Module *, int) = (void *(*)(Module *, int))dlsym(RTLD_DEFAULT, "PyModule_Create2");
  if (!create || !dlsym(RTLD_DEFAULT, "PyEval_SaveThread")) return NULL;
  return create(&definition, stableInterface);
}
