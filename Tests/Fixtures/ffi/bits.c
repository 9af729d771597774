/* Calls each mix_T of sample.c through ffi_plugin.so and directly, with random arguments, and compares the
 * bits:  bits PLUGIN LIBRARY COUNT SEED */
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>

#include "fake_host.h"

static uint64_t seed;
static uint64_t next(void) { /* splitmix64 */
  uint64_t z = seed += 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}

/* JSON has no NaN and no infinities: they travel as strings. */
static void text_of_double(char *text, double value, int digits) {
  if (isnan(value)) strcpy(text, "\"NaN\"");
  else if (isinf(value)) strcpy(text, value > 0 ? "\"Infinity\"" : "\"-Infinity\"");
  else sprintf(text, "%.*g", digits, value);
}
static double double_of_text(const char *text, bool is_float) {
  if (*text == '"') text++;
  return is_float ? (double)strtof(text, NULL) : strtod(text, NULL);
}

/* Both NaN, or the same bits. */
#define SAME_INTEGER(a, b) ((a) == (b))
#define SAME_FLOAT(a, b) ((isnan(a) && isnan(b)) || memcmp(&(a), &(b), sizeof(a)) == 0)
#define PRINT_SIGNED(text, value) sprintf(text, "%" PRId64, (int64_t)(value))
#define PRINT_UNSIGNED(text, value) sprintf(text, "%" PRIu64, (uint64_t)(value))
#define PRINT_BOOL(text, value) strcpy(text, (value) ? "true" : "false")
#define PRINT_F32(text, value) text_of_double(text, value, 9)
#define PRINT_F64(text, value) text_of_double(text, value, 17)
#define READ_SIGNED(text) strtoll(text, NULL, 10)
#define READ_UNSIGNED(text) strtoull(text, NULL, 10)
#define READ_BOOL(text) (*(text) == 't')
#define READ_F32(text) (float)double_of_text(text, true)
#define READ_F64(text) double_of_text(text, false)
#define RANDOM_BITS(value) uint64_t value##_bits = next(); memcpy(&value, &value##_bits, sizeof value)
#define RANDOM_BOOL(value) value = next() & 1

#define COMPARE(name, type, RANDOM, PRINT, READ, SAME)                                                     \
  do {                                                                                                     \
    type (*direct)(type, type) = (type (*)(type, type))dlsym(library, "mix_" #name);                       \
    for (long i = 0; i < count; i++) {                                                                     \
      type a, b;                                                                                           \
      RANDOM(a);                                                                                           \
      RANDOM(b);                                                                                           \
      char one[64], other[64], json[160];                                                                  \
      PRINT(one, a);                                                                                       \
      PRINT(other, b);                                                                                     \
      sprintf(json, "{\"a\":%s,\"b\":%s}", one, other);                                                    \
      type wanted = direct(a, b);                                                                          \
      if (fake_post(app, state, "/" #name, json) != NSGI_OK || fake.status != 200 ||                       \
          strncmp(fake.answer, "{\"result\":", 10) != 0) {                                                 \
        printf("%s %s: %d %s\n", #name, json, fake.status, fake.answer);                                   \
        return 1;                                                                                          \
      }                                                                                                    \
      type found = (type)READ(fake.answer + 10);                                                           \
      if (!SAME(wanted, found)) {                                                                          \
        PRINT(one, wanted);                                                                                \
        printf("%s %s: %s, and C has %s\n", #name, json, fake.answer, one);                                \
        return 1;                                                                                          \
      }                                                                                                    \
    }                                                                                                      \
    printf("%s %ld\n", #name, count);                                                                      \
  } while (0)

int main(int argc, char **argv) {
  if (argc != 5) return fprintf(stderr, "usage: bits PLUGIN LIBRARY COUNT SEED\n"), 2;
  long count = atol(argv[3]);
  seed = strtoull(argv[4], NULL, 10);
  static const char *const names[] = {"i8",  "i16", "i32", "i64", "u8",  "u16",
                                      "u32", "u64", "f32", "f64", "bool"};
  static char calls[11][512];
  const char *options[23] = {0};
  for (int i = 0; i < 11; i++) {
    const char *type = names[i];
    snprintf(calls[i], sizeof calls[i], "/%s=%s:mix_%s(a: %s, b: %s) -> %s", type, argv[2], type, type, type,
             type);
    options[2 * i] = "call", options[2 * i + 1] = calls[i];
  }
  void *state = NULL, *library = dlopen(argv[2], RTLD_NOW);
  const nsgi_app *app = fake_load(argv[1], options, &state);
  COMPARE(i8, int8_t, RANDOM_BITS, PRINT_SIGNED, READ_SIGNED, SAME_INTEGER);
  COMPARE(i16, int16_t, RANDOM_BITS, PRINT_SIGNED, READ_SIGNED, SAME_INTEGER);
  COMPARE(i32, int32_t, RANDOM_BITS, PRINT_SIGNED, READ_SIGNED, SAME_INTEGER);
  COMPARE(i64, int64_t, RANDOM_BITS, PRINT_SIGNED, READ_SIGNED, SAME_INTEGER);
  COMPARE(u8, uint8_t, RANDOM_BITS, PRINT_UNSIGNED, READ_UNSIGNED, SAME_INTEGER);
  COMPARE(u16, uint16_t, RANDOM_BITS, PRINT_UNSIGNED, READ_UNSIGNED, SAME_INTEGER);
  COMPARE(u32, uint32_t, RANDOM_BITS, PRINT_UNSIGNED, READ_UNSIGNED, SAME_INTEGER);
  COMPARE(u64, uint64_t, RANDOM_BITS, PRINT_UNSIGNED, READ_UNSIGNED, SAME_INTEGER);
  COMPARE(f32, float, RANDOM_BITS, PRINT_F32, READ_F32, SAME_FLOAT);
  COMPARE(f64, double, RANDOM_BITS, PRINT_F64, READ_F64, SAME_FLOAT);
  COMPARE(bool, bool, RANDOM_BOOL, PRINT_BOOL, READ_BOOL, SAME_INTEGER);
  return 0;
}
