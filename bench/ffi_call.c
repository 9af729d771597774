/* What libffi costs: a function called directly, through ffi_call, and as a whole request of the ffi runtime
 * (JSON in, JSON out, no sockets):  ffi_call PLUGIN [CALLS] */
#include <ffi.h>
#include <math.h>
#include <time.h>

#include "../Tests/Fixtures/ffi/fake_host.h"

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* The best of five rounds, in nanoseconds a call. */
#define MEASURE(name, calls, statement)                                                                    \
  do {                                                                                                     \
    double best = 1e18;                                                                                    \
    for (int round = 0; round < 5; round++) {                                                              \
      double start = now();                                                                                \
      for (long i = 0; i < (calls); i++) statement;                                                        \
      double each = (now() - start) / (double)(calls);                                                     \
      if (each < best) best = each;                                                                        \
    }                                                                                                      \
    printf("%-28s %8.1f ns\n", name, best);                                                                \
  } while (0)

int main(int argc, char **argv) {
  if (argc < 2) return fprintf(stderr, "usage: ffi_call PLUGIN [CALLS]\n"), 2;
  long calls = argc > 2 ? atol(argv[2]) : 1000000;
  void *library = dlopen("libm.so.6", RTLD_NOW);
  double (*volatile fmax_address)(double, double) = (double (*)(double, double))dlsym(library, "fmax");
  static volatile double x = 2, y = 10, sum;
  MEASURE("direct call", calls * 10, sum = fmax_address(x, y));

  ffi_cif cif;
  ffi_type *types[] = {&ffi_type_double, &ffi_type_double};
  if (ffi_prep_cif(&cif, FFI_DEFAULT_ABI, 2, &ffi_type_double, types) != FFI_OK) return 1;
  double a = 2, b = 10, result = 0;
  void *values[] = {&a, &b};
  MEASURE("ffi_call", calls * 10, ffi_call(&cif, FFI_FN(fmax_address), &result, values));

  const char *options[] = {"call", "/fmax=libm.so.6:fmax(x: f64, y: f64) -> f64 threadsafe",
                           "call", "/locked=libm.so.6:fmax(x: f64, y: f64) -> f64", NULL};
  void *state = NULL;
  const nsgi_app *app = fake_load(argv[1], options, &state);
  MEASURE("request, threadsafe", calls / 10, fake_post(app, state, "/fmax", "{\"x\":2,\"y\":10}"));
  MEASURE("request, one at a time", calls / 10, fake_post(app, state, "/locked", "{\"x\":2,\"y\":10}"));
  return sum != 10 || strcmp(fake.answer, "{\"result\":10}") != 0;
}
