/* The load generator: main (gwload.c), what is sent (requests.c), what comes back (responses.c), the
 * connections between them (connections.c), latencies (histogram.c). One thread, one process, closed loop.
 * ../openload shares what is sent, what comes back and the latencies. */
#pragma once
#define _GNU_SOURCE
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum protocol { HTTP, HTTP_CLOSE, SCGI, UWSGI, FCGI, FCGI_KEEP };

/* Where in an answer a connection is. */
enum phase { HEAD, BODY, BODY_TO_END, CHUNK_SIZE, CHUNK_DATA, CHUNK_END, TRAILER, DONE };

struct answer {
  enum phase phase;
  int status, closing, is_http11, request_ended;
  long content_length;
  size_t head_bytes, body_bytes, chunk_left, line_bytes;
  unsigned char record[8]; /* header of the FastCGI record that is coming in */
  unsigned record_bytes, record_left, padding_left;
  char head[8192];
};

struct connection {
  int fd, wants_write, must_retry, is_settled, is_fresh, is_kept, has_input;
  unsigned answered; /* answers of this batch that are complete */
  size_t sent;
  long requests;
  uint64_t began;
  struct answer answer;
};

struct options {
  enum protocol protocol;
  struct sockaddr_storage address;
  socklen_t address_bytes;
  const char *uri, *headers[32];
  int header_count, connections, pipeline, uwsgi_modifier, is_idle;
  long post_bytes, body_bytes, requests;
  double seconds, warmup, timeout, hold;
};

struct counts {
  unsigned long requests, total, bytes, opened, retries, reopened;
  unsigned long connect, status, length, io, record, timeout; /* errors */
};

extern struct options options;
extern struct counts counts;
extern struct connection *connections;

/* requests.c: `options` in, one batch of requests out (`options.pipeline` copies of one request) */
extern char *batch;
extern size_t batch_bytes;
void build_batch(void);

/* responses.c */
void answer_begin(struct answer *answer);
/* Takes bytes of an answer: how many (all, unless the answer ends before), or -1 if they are not one. */
long answer_take(struct answer *answer, const char *bytes, size_t count);
int answer_is_complete(const struct answer *answer, int at_end);

/* connections.c */
uint64_t now_ns(void);
void connections_open(void);
/* Serves until a point in time or until everything asked for is done; seconds it took. */
double run_until(uint64_t end);
void hold_until(uint64_t end);
extern int is_measuring;

/* gwload.c: latencies */
void record_latency(uint64_t ns);
