/* openload: an open-loop load generator for HTTP/1.1.
 *
 *   openload -a 127.0.0.1:PORT|unix:PATH -r requests a second [-c connections=64] [-d seconds=5]
 *            [-w warm-up seconds=0] [-u uri=/] [-b expected answer bytes] [-t timeout seconds=5]
 *            [-g seconds to wait for answers at the end=1] [-1 (a connection for each request)]
 *   openload -S service_us,stall_at_ms,stall_ms -r … -c … -d …     a server that is only reckoned: no clock
 *   openload -L                                  percentiles of the lines of stdin, which are nanoseconds
 *
 * Requests are sent at moments that are fixed in advance, however long answers take; one for which no
 * connection is free waits its turn. Latency counts from the intended moment to the answer's last byte, which
 * corrects for coordinated omission; what timed out, or had no answer at the end, is in it with its age then.
 * Prints "begin" and "end" when the measured time begins and ends, and one line of JSON. Every answer must
 * have status 200 and a body of the expected length (-b, or that of the first answer). */
#include "pool.h"
#include "../load/address.h"
#include "../load/gwload.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

struct options options = {.uri = "/", .connections = 64, .pipeline = 1, .post_bytes = -1, .body_bytes = -1,
                          .seconds = 5, .timeout = 5};

static struct pool pool; /* half a megabyte */
static double rate, grace = 1, cpu_began, cpu_used, simulated[3];
static int is_simulated;

static double cpu_seconds(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  struct timeval user = usage.ru_utime, system = usage.ru_stime;
  return (double)(user.tv_sec + system.tv_sec) + (double)(user.tv_usec + system.tv_usec) / 1e6;
}

static void say(const char *word) {
  puts(word);
  fflush(stdout);
}

static void at_begin(void) {
  cpu_began = cpu_seconds();
  say("begin");
}

static void at_end(void) {
  cpu_used = cpu_seconds() - cpu_began;
  say("end");
}

static int read_options(int count, char **words) {
  int good = 1, option;
  while ((option = getopt(count, words, "a:r:c:d:w:u:b:t:g:1S:")) != -1) {
    switch (option) {
    case 'a': good &= (options.address_bytes = address_read(optarg, &options.address)) > 0; break;
    case 'r': rate = atof(optarg); break;
    case 'c': options.connections = atoi(optarg); break;
    case 'd': options.seconds = atof(optarg); break;
    case 'w': options.warmup = atof(optarg); break;
    case 'u': options.uri = optarg; break;
    case 'b': options.body_bytes = atol(optarg); break;
    case 't': options.timeout = atof(optarg); break;
    case 'g': grace = atof(optarg); break;
    case '1': options.protocol = HTTP_CLOSE; break;
    case 'S':
      is_simulated = 1;
      good &= sscanf(optarg, "%lf,%lf,%lf", &simulated[0], &simulated[1], &simulated[2]) == 3;
      break;
    default: good = 0;
    }
  }
  return good && rate > 0 && options.connections > 0 && options.seconds > 0 && options.timeout > 0 &&
         options.warmup >= 0 && (is_simulated || options.address_bytes);
}

static void print_percentiles(const char *prefix, const struct histogram *histogram) {
  static const struct { const char *name; double share; } all[] = {
    {"p50", .5}, {"p90", .9}, {"p99", .99}, {"p999", .999}, {"max", 1}};
  for (int i = 0; i < 5; i++) {
    uint64_t ns = histogram_percentile(histogram, all[i].share);
    printf("\"%s%s_us\":%.2f,", prefix, all[i].name, (double)(i < 4 ? ns : histogram->largest) / 1e3);
  }
}

static void report(void) {
  uint64_t errors = 0;
  for (int i = 0; i < FAILURES; i++) errors += pool.failures[i];
  double seconds = (double)(pool.end - pool.measured_from) / 1e9;
  printf("{\"rate\":%.1f,\"connections\":%d,\"kept\":%s,\"seconds\":%.4f,", rate, pool.size,
         options.protocol == HTTP ? "true" : "false", seconds);
  printf("\"replies\":%lu,\"rps\":%.1f,\"answered\":%lu,", pool.replies, (double)pool.replies / seconds,
         pool.answered);
  print_percentiles("", &pool.latency);
  print_percentiles("sent_", &pool.from_sending);
  print_percentiles("lag_", &pool.lag);
  printf("\"timeouts\":%lu,\"unanswered\":%lu,\"never_sent\":%lu,\"errors\":%lu,", pool.timeouts,
         pool.unanswered, pool.never_sent, errors);
  printf("\"e_connect\":%lu,\"e_status\":%lu,\"e_length\":%lu,\"e_io\":%lu,\"e_answer\":%lu,",
         pool.failures[FAILED_CONNECT], pool.failures[FAILED_STATUS], pool.failures[FAILED_LENGTH],
         pool.failures[FAILED_IO], pool.failures[FAILED_ANSWER]);
  printf("\"opened\":%lu,\"reopened\":%lu,\"retried\":%lu,\"body\":%ld,", traffic.opened, traffic.reopened,
         traffic.retried, options.body_bytes);
  printf("\"load_busy\":%.4f,\"load_cpu\":%.4f}\n", traffic.busy, cpu_used / seconds);
}

static int percentiles_of_lines(void) {
  uint64_t ns;
  while (scanf("%lu", &ns) == 1) histogram_record(&pool.latency, ns);
  printf("{");
  print_percentiles("", &pool.latency);
  printf("\"count\":%lu}\n", pool.latency.count);
  return 0;
}

static void raise_file_limit(void) {
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
}

int main(int count, char **words) {
  if (count == 2 && !strcmp(words[1], "-L")) return percentiles_of_lines();
  if (!read_options(count, words)) {
    fputs("usage: openload -a HOST:PORT|unix:PATH -r rate [-c connections] [-d seconds] [-w seconds]\n"
          "  [-u uri] [-b bytes] [-t seconds] [-g seconds] [-1]\n"
          "  openload -S us,ms,ms -r rate … | openload -L\n", stderr);
    return 2;
  }
  uint64_t start = is_simulated ? 0 : now_ns() + 2000000;
  pool_begin(&pool, options.connections, start, rate, options.warmup, options.seconds, options.timeout);
  if (is_simulated) {
    uint64_t stall_at = (uint64_t)(simulated[1] * 1e6), stall = (uint64_t)(simulated[2] * 1e6);
    pool_end(&pool, run_virtually(&pool, (uint64_t)(simulated[0] * 1e3), stall_at, stall));
  } else {
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_TIMERSLACK, 1ul);
    raise_file_limit();
    build_batch();
    run_connections(&pool, (uint64_t)(grace * 1e9), at_begin, at_end);
  }
  report();
  return 0;
}
