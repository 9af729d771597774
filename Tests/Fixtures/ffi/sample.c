/* A library of the kind that the ffi runtime meets: it knows nothing of servers. */
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- Numbers: results that depend on every bit of both arguments. */
#define MIX(name, type, wide) \
  type mix_##name(type a, type b) { return (type)((wide)((wide)a ^ (wide)b << 1) + (wide)7 * (wide)b); }
MIX(i8, int8_t, uint8_t)
MIX(i16, int16_t, uint16_t)
MIX(i32, int32_t, uint32_t)
MIX(i64, int64_t, uint64_t)
MIX(u8, uint8_t, uint8_t)
MIX(u16, uint16_t, uint16_t)
MIX(u32, uint32_t, uint32_t)
MIX(u64, uint64_t, uint64_t)
float mix_f32(float a, float b) { return a * b + a; }
double mix_f64(double a, double b) { return a * b + a; }
bool mix_bool(bool a, bool b) { return a != b; }

double many(int8_t a, double b, uint16_t c, float d, int64_t e, bool f, double g, uint32_t h, int16_t i,
            float j) {
  return a + b + c + d + (double)e + f + g + h + i + j;
}
double by_reference_(const double *x, const int32_t *n) { return pow(*x, *n); } /* as Fortran passes */

/* ---- Structs. */
typedef struct { double x, y; } point;
typedef struct { int8_t tag; point at; uint16_t sizes[3]; float weight; } shape;
point mirror(point p) { return (point){p.y, p.x}; }
double length_of(const point *p) { return hypot(p->x, p->y); }
void scale(point *p, double by) { p->x *= by, p->y *= by; }
shape grow(shape s, uint16_t by) {
  for (int i = 0; i < 3; i++) s.sizes[i] += by;
  s.weight *= 2, s.tag++;
  return s;
}
const point *origin(bool known) {
  static const point zero = {0, 0};
  return known ? &zero : NULL;
}

/* ---- Text and bytes. */
const char *motto(void) { return "festina lente"; }
const char *nothing(void) { return NULL; }
const char *latin(void) { return "caf\xe9"; }
char *greeting(const char *name) {
  char *text = NULL;
  if (!name) return strdup("Hello, whoever you are!");
  return asprintf(&text, "Hello, %s!", name) < 0 ? NULL : text;
}
static int freed;
void give_back(char *text) { freed++, free(text); }
int given_back(void) { return freed; }
uint64_t byte_sum(const uint8_t *bytes, size_t n) {
  uint64_t sum = 0;
  for (size_t i = 0; i < n; i++) sum += bytes[i];
  return sum;
}
int64_t rot13(const char *text, char *out, size_t room) {
  size_t n = strlen(text);
  if (n > room) return -1;
  for (size_t i = 0; i < n; i++) {
    char c = text[i], base = c >= 'a' && c <= 'z' ? 'a' : c >= 'A' && c <= 'Z' ? 'A' : 0;
    out[i] = base ? (char)(base + (c - base + 13) % 26) : c;
  }
  return (int64_t)n;
}
int lie_about_length(char *out, uint32_t *n) { return memset(out, 'x', *n), *n = 4000000000u, 0; }
int describe(int number, char *text, size_t room) { return snprintf(text, room, "number %d", number); }
int last_error(char **message, bool fails) {
  *message = fails ? strdup("no luck") : NULL;
  return fails ? 7 : 0;
}

/* ---- Arrays. */
double dot(const double *a, const double *b, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += a[i] * b[i];
  return sum;
}
void squares(int32_t *out, int32_t from) {
  for (int i = 0; i < 4; i++) out[i] = (from + i) * (from + i);
}
void reverse(int16_t *items, int n) {
  for (int i = 0; i < n / 2; i++) {
    int16_t t = items[i];
    items[i] = items[n - 1 - i], items[n - 1 - i] = t;
  }
}

/* ---- errno. */
int refuse(int code) { return errno = code, code ? -1 : 0; }

/* ---- Objects. */
typedef struct { int64_t value; } counter;
static int counters;
counter *counter_open(int64_t start) {
  if (start < 0) return NULL;
  counter *c = malloc(sizeof *c);
  c->value = start, counters++;
  return c;
}
int counter_make(counter **c, int64_t start) { return (*c = counter_open(start)) ? 0 : 22; }
int64_t counter_add(counter *c, int64_t n) { return c->value += n; }
int counter_close(counter *c) {
  if (c->value == 13) return 16; /* busy */
  return free(c), counters--, 0;
}
int counters_open(void) { return counters; }

/* ---- Callbacks. */
typedef int (*visitor)(void *user, int n, char **values, const char *label, const point *at, double x);
int visit(int count, visitor each, void *user) {
  char *values[2] = {"one", NULL};
  for (int i = 0; i < count; i++) {
    point at = {i, -i};
    int stop = each(user, i % 3, values, i % 2 ? "odd" : NULL, &at, i / 2.0);
    if (stop) return stop;
  }
  return 0;
}
typedef void (*progress)(uint8_t percent);
static progress kept;
int work(int steps, progress tell) {
  for (int i = 0; i < steps; i++) tell((uint8_t)(i * 100 / steps));
  kept = tell;
  return steps;
}
int work_late(void) { return kept ? kept(99), 1 : 0; }
typedef void (*chunk)(const uint8_t *bytes, uint32_t n);
void chunks(const uint8_t *bytes, size_t n, chunk each) {
  for (size_t i = 0; i < n; i += 2) each(bytes + i, n - i < 2 ? 1 : 2);
}
typedef float (*asked)(int8_t a, float b);
float ask(asked question) { return question(-5, 0.5f); }

/* ---- One at a time. */
static int inside, most;
static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;
int crowd(int milliseconds) {
  pthread_mutex_lock(&guard);
  if (++inside > most) most = inside;
  pthread_mutex_unlock(&guard);
  usleep((useconds_t)milliseconds * 1000);
  pthread_mutex_lock(&guard);
  inside--;
  int answer = most;
  pthread_mutex_unlock(&guard);
  return answer;
}
static int ready;
void prepare(void) { ready++; }
int prepared(void) { return ready; }

/* ---- What has to be refused. */
int some_data = 42;
_Thread_local int some_local = 7;
int total(int n, ...) { return n; }
typedef union { int i; float f; } either;
int choose(either e) { return e.i; }
long double precise(long double x) { return x; }
struct flags { unsigned a : 3, b : 5; };
int bits(struct flags f) { return (int)f.a; }

/* ---- An application in a language without our header. */
int answer(const char *method, const char *path, const uint8_t *body, size_t n, const char *http_x_color,
           char *type, char *reply, size_t *length) {
  strcpy(type, "text/x-odd");
  int used = snprintf(reply, *length, "%s %s %zu %s", method, path, n, http_x_color);
  *length = (size_t)used;
  (void)body;
  return strcmp(path, "/missing") ? 200 : strcmp(method, "POST") ? 404 : 99;
}
