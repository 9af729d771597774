/* gwload: a small closed-loop load generator for HTTP/1.1, SCGI, FastCGI and uwsgi.
 *
 *   gwload -p http|http-close|scgi|uwsgi|fcgi|fcgi-keep -a 127.0.0.1:PORT|unix:PATH
 *          [-c connections=64] [-d seconds=5 | -n requests] [-w warm-up seconds] [-k pipelined requests=1]
 *          [-u uri=/] [-P body bytes] [-b expected answer bytes] [-H 'Name: value']... [-t timeout seconds=5]
 *          [-m uwsgi modifier1] [-i seconds to hold idle connections]
 *
 * Every answer must have status 200 and a body of the expected length (-b, or that of the first answer).
 * Prints "begin" when the warm-up is over and one line of JSON at the end. Latency: from connect
 * (protocols with a connection per request) or from the first byte of the request (kept connections, and
 * the whole batch when pipelined) to the last byte of the answer; closed loop, not corrected for
 * coordinated omission. With -n the program ends after that many answers. With -i: one request on each
 * connection, "ready", and they are held; "held" says how many are left. */
#include "gwload.h"
#include "address.h"
#include "histogram.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

struct options options = {.uri = "/", .connections = 64, .pipeline = 1, .post_bytes = -1,
                          .body_bytes = -1, .requests = -1, .seconds = 5, .timeout = 5};

static const char *const protocols[] = {"http", "http-close", "scgi", "uwsgi", "fcgi", "fcgi-keep"};

static struct histogram latencies;

void record_latency(uint64_t ns) { histogram_record(&latencies, ns); }

static double percentile(double share) { return (double)histogram_percentile(&latencies, share) / 1e3; }

static double cpu_seconds(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  struct timeval user = usage.ru_utime, system = usage.ru_stime;
  return (double)(user.tv_sec + system.tv_sec) + (double)(user.tv_usec + system.tv_usec) / 1e6;
}

static int usage(void) {
  fputs("usage: gwload -p http|http-close|scgi|uwsgi|fcgi|fcgi-keep -a HOST:PORT|unix:PATH [-c connections]\n"
        "  [-d seconds | -n requests] [-w seconds] [-k pipelined] [-u uri] [-P bytes] [-b bytes]\n"
        "  [-H field]... [-t seconds] [-m modifier] [-i seconds]\n", stderr);
  return 2;
}

static int read_protocol(const char *name) {
  for (int i = 0; i < 6; i++) {
    if (strcmp(name, protocols[i])) continue;
    options.protocol = (enum protocol)i;
    return 1;
  }
  return 0;
}

static int read_options(int count, char **words) {
  int good = 1, option;
  while ((option = getopt(count, words, "p:a:c:d:n:w:k:b:u:P:H:t:i:m:")) != -1) {
    switch (option) {
    case 'p': good &= read_protocol(optarg); break;
    case 'a': good &= (options.address_bytes = address_read(optarg, &options.address)) > 0; break;
    case 'c': options.connections = atoi(optarg); break;
    case 'd': options.seconds = atof(optarg); break;
    case 'n': options.requests = atol(optarg); options.seconds = 3600; break;
    case 'w': options.warmup = atof(optarg); break;
    case 'k': options.pipeline = atoi(optarg); break;
    case 'b': options.body_bytes = atol(optarg); break;
    case 'u': options.uri = optarg; break;
    case 'P': options.post_bytes = atol(optarg); break;
    case 'H':
      good &= options.header_count < 32;
      if (good) options.headers[options.header_count++] = optarg;
      break;
    case 't': options.timeout = atof(optarg); break;
    case 'm': options.uwsgi_modifier = atoi(optarg); break;
    case 'i': options.hold = atof(optarg); options.is_idle = 1; break;
    default: good = 0;
    }
  }
  int pipelines = options.pipeline > 1;
  return good && options.address_bytes && options.connections > 0 && options.pipeline > 0 &&
         (!pipelines || options.protocol == HTTP);
}

static int count_open(void) {
  int open = 0;
  for (int i = 0; i < options.connections; i++) open += connections[i].is_settled && connections[i].fd >= 0;
  return open;
}

static int hold_idle(uint64_t began) {
  run_until(began + 60000000000u);
  printf("ready connections=%d of %d after %.2f s\n", count_open(), options.connections,
         (double)(now_ns() - began) / 1e9);
  fflush(stdout);
  hold_until(now_ns() + (uint64_t)(options.hold * 1e9));
  printf("held connections=%d\n", count_open());
  return 0;
}

static void report(double seconds, double cpu) {
  int starved = 0;
  for (int i = 0; i < options.connections; i++) starved += !connections[i].requests;
  unsigned long errors = counts.connect + counts.status + counts.length;
  errors += counts.io + counts.record + counts.timeout;
  printf("{\"protocol\":\"%s\",\"connections\":%d,\"seconds\":%.4f,\"requests\":%lu,\"total\":%lu,",
         protocols[options.protocol], options.connections, seconds, counts.requests, counts.total);
  printf("\"rps\":%.1f,\"p50_us\":%.1f,\"p99_us\":%.1f,\"p999_us\":%.1f,\"max_us\":%.1f,\"mean_us\":%.1f,",
         (double)counts.requests / seconds, percentile(.5), percentile(.99), percentile(.999),
         (double)latencies.largest / 1e3, latencies.sum / (double)(latencies.count + !latencies.count) / 1e3);
  printf("\"body\":%ld,\"mb_s\":%.1f,\"opened\":%lu,\"starved\":%d,\"retries\":%lu,\"reopened\":%lu,",
         options.body_bytes, (double)counts.bytes / seconds / 1e6, counts.opened, starved, counts.retries,
         counts.reopened);
  printf("\"errors\":%lu,\"e_connect\":%lu,\"e_status\":%lu,\"e_length\":%lu,\"e_io\":%lu,\"e_record\":%lu,",
         errors, counts.connect, counts.status, counts.length, counts.io, counts.record);
  printf("\"e_timeout\":%lu,\"load_cpu\":%.3f}\n", counts.timeout, cpu / seconds);
}

int main(int count, char **words) {
  if (!read_options(count, words)) return usage();
  signal(SIGPIPE, SIG_IGN);
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  build_batch();
  connections = calloc((size_t)options.connections, sizeof *connections);
  is_measuring = options.warmup == 0;
  uint64_t began = now_ns();
  connections_open();
  if (options.is_idle) return hold_idle(began);
  if (options.warmup > 0) {
    run_until(began + (uint64_t)(options.warmup * 1e9));
    is_measuring = 1;
  }
  puts("begin");
  fflush(stdout);
  double cpu = cpu_seconds();
  double seconds = run_until(now_ns() + (uint64_t)(options.seconds * 1e9));
  report(seconds, cpu_seconds() - cpu);
  return 0;
}
