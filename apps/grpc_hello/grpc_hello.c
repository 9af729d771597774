/* A gRPC service without a library for it: helloworld.Greeter, whose messages are one string each.
 *
 *   SayHello             one name, one greeting
 *   SayHelloStreamReply  one name, several greetings
 *   SayHelloToAll        several names, one greeting
 *   SayHelloBidiStream   a greeting for each name, as soon as it has come
 *
 * gRPC over HTTP/2: a message is a byte that says whether it is compressed, four bytes of length, and that
 * many bytes of protobuf; how the call went is in trailers, grpc-status and grpc-message. */
#include <nsgi.h>
#include <stdio.h>
#include <string.h>

enum { LONGEST = 16 * 1024, GREETINGS = 5, PREFIX = 5 };
/* Status codes of gRPC. */
enum { FINE = 0, INVALID_ARGUMENT = 3, RESOURCE_EXHAUSTED = 8, UNIMPLEMENTED = 12, INTERNAL = 13 };

static const nsgi_host *host;

/* One call of the service. */
struct call {
  nsgi_id id;
  int has_begun;          /* the head of the response has been given       */
  int status;             /* of gRPC                                       */
  const char *reason;     /* why it is not FINE                            */
  int64_t result;         /* negative: of the host, whose client is gone   */
  size_t size;            /* of the last message                           */
  unsigned char message[LONGEST];
};

static int fail(struct call *c, int status, const char *reason) {
  c->status = status, c->reason = reason;
  return 0;
}

/* ---- Messages in */

/* Reads n bytes, or as many as there are: how many, and fewer at the end or when the client is gone. */
static size_t take(struct call *c, unsigned char *to, size_t n) {
  size_t done = 0;
  while (done < n) {
    int64_t count = host->read(c->id, to + done, n - done);
    if (count < 0) c->result = count;
    if (count <= 0) break;
    done += (size_t)count;
  }
  return done;
}

/* Takes the next message; 0 behind the last one, and for one that is none: c->status says so. */
static int next(struct call *c) {
  unsigned char prefix[PREFIX];
  size_t n = take(c, prefix, PREFIX);
  if (n == 0 || c->result < 0) return 0;
  if (n < PREFIX) return fail(c, INTERNAL, "a message breaks off");
  if (prefix[0] != 0) return fail(c, UNIMPLEMENTED, "messages are not compressed here");
  size_t size = (size_t)prefix[1] << 24 | (size_t)prefix[2] << 16 | (size_t)prefix[3] << 8 | prefix[4];
  if (size > LONGEST) return fail(c, RESOURCE_EXHAUSTED, "a message is longer than 16384 bytes");
  if (take(c, c->message, size) < size) return fail(c, INTERNAL, "a message breaks off");
  c->size = size;
  return 1;
}

/* An integer of protobuf: seven bits a byte, the lowest first. */
static int varint(const unsigned char **at, const unsigned char *end, uint64_t *value) {
  *value = 0;
  for (int shift = 0; *at < end && shift < 64; shift += 7) {
    unsigned char byte = *(*at)++;
    *value |= (uint64_t)(byte & 0x7f) << shift;
    if (byte < 0x80) return 1;
  }
  return 0;
}

/* The string in field 1 of the message, empty if it is not there; fields of other numbers are passed over.
 * 0 if the message is malformed. */
static int name_of(struct call *c, nsgi_str *name) {
  const unsigned char *at = c->message, *end = c->message + c->size;
  *name = (nsgi_str){"", 0};
  while (at < end) {
    uint64_t key, number, size = 0;
    int is_good = varint(&at, end, &key);
    switch (key & 7) {
      case 0: is_good = is_good && varint(&at, end, &number); break;
      case 1: size = 8; break;
      case 2: is_good = is_good && varint(&at, end, &size); break;
      case 5: size = 4; break;
      default: is_good = 0;
    }
    if (!is_good || size > (uint64_t)(end - at))
      return fail(c, INVALID_ARGUMENT, "a message is no HelloRequest");
    if (key == (1 << 3 | 2)) *name = (nsgi_str){(const char *)at, (size_t)size};
    at += size;
  }
  return 1;
}

/* ---- Messages out */

static void begin(struct call *c) {
  static const nsgi_pair fields[] = {{NSGI_STR("Content-Type"), NSGI_STR("application/grpc")},
                                     {NSGI_STR("grpc-accept-encoding"), NSGI_STR("identity")}};
  if (!c->has_begun && c->result >= 0) c->result = host->start(c->id, 200, fields, 2);
  c->has_begun = 1;
}

/* Sends a HelloReply with "Hello " and these bytes; at once, since the client may wait for it before it goes
 * on. 0 when there is nobody any more. */
static int greet(struct call *c, const char *who, size_t n) {
  static const char hello[] = "Hello ";
  unsigned char head[PREFIX + 6 + sizeof hello] = {0};
  size_t text = sizeof hello - 1 + n, at = PREFIX;
  head[at++] = 1 << 3 | 2; /* field 1, bytes */
  for (size_t rest = text;; rest >>= 7) {
    head[at++] = (unsigned char)(rest < 0x80 ? rest : rest | 0x80);
    if (rest < 0x80) break;
  }
  size_t size = at - PREFIX + text;
  for (int i = 1; i < PREFIX; i++) head[i] = (unsigned char)(size >> (8 * (PREFIX - 1 - i)));
  memcpy(head + at, hello, sizeof hello - 1);
  at += sizeof hello - 1;
  begin(c);
  if (c->result >= 0) c->result = host->write(c->id, head, at);
  if (c->result >= 0) c->result = host->write(c->id, who, n);
  if (c->result >= 0) c->result = host->flush(c->id);
  return c->result >= 0;
}

/* How it went, behind the last message. */
static int end(struct call *c) {
  char number[4];
  int n = snprintf(number, sizeof number, "%d", c->status & 31);
  nsgi_pair fields[] = {{NSGI_STR("grpc-status"), {number, (size_t)n}}, {NSGI_STR("grpc-message"), {"", 0}}};
  if (c->reason) fields[1].value = (nsgi_str){c->reason, strlen(c->reason)};
  begin(c);
  if (c->result < 0) return (int)c->result;
  return host->trailers(c->id, fields, c->reason ? 2 : 1);
}

/* ---- The service */

/* The only message of a request. */
static int only(struct call *c, nsgi_str *name) {
  if (next(c)) return name_of(c, name);
  return c->status == FINE ? fail(c, INVALID_ARGUMENT, "there is no message") : 0;
}

static void say_hello(struct call *c) {
  nsgi_str name;
  if (only(c, &name)) greet(c, name.p, name.n);
}

static void say_hello_stream_reply(struct call *c) {
  nsgi_str name;
  if (!only(c, &name)) return;
  for (int i = 0; i < GREETINGS && greet(c, name.p, name.n); i++) continue;
}

static void say_hello_to_all(struct call *c) {
  char all[LONGEST];
  size_t n = 0;
  nsgi_str name;
  while (next(c) && name_of(c, &name)) {
    if (name.n + 2 > sizeof all - n) {
      fail(c, RESOURCE_EXHAUSTED, "these are too many");
      return;
    }
    if (n > 0) memcpy(all + n, ", ", 2), n += 2;
    memcpy(all + n, name.p, name.n), n += name.n;
  }
  if (c->status == FINE) greet(c, all, n);
}

static void say_hello_bidi_stream(struct call *c) {
  nsgi_str name;
  while (next(c) && name_of(c, &name) && greet(c, name.p, name.n)) continue;
}

static const struct { const char *path; void (*serve)(struct call *); } methods[] = {
  {"/helloworld.Greeter/SayHello", say_hello},
  {"/helloworld.Greeter/SayHelloStreamReply", say_hello_stream_reply},
  {"/helloworld.Greeter/SayHelloToAll", say_hello_to_all},
  {"/helloworld.Greeter/SayHelloBidiStream", say_hello_bidi_stream},
};

static int refuse(nsgi_id id, int status, const char *text) {
  static const nsgi_pair type = {NSGI_STR("Content-Type"), NSGI_STR("text/plain")};
  return host->respond(id, status, &type, 1, text, strlen(text));
}

/* application/grpc, perhaps with the format of the messages behind it; not application/grpc-web. */
static int is_grpc(nsgi_str type) {
  static const char wanted[] = "application/grpc";
  size_t n = sizeof wanted - 1;
  if (type.n < n || memcmp(type.p, wanted, n) != 0) return 0;
  return type.p[n] == '\0' || type.p[n] == '+' || type.p[n] == ';';
}

static int call(void *state, const nsgi_request *request) {
  (void)state;
  if (!is_grpc(request->content_type)) return refuse(request->id, 415, "This is a gRPC service.\n");
  if (!(request->flags & NSGI_TAKES_TRAILERS)) return refuse(request->id, 505, "gRPC needs HTTP/2.\n");
  struct call c;
  memset(&c, 0, offsetof(struct call, message));
  c.id = request->id;
  for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
    if (strcmp(request->path_info.p, methods[i].path) == 0) {
      methods[i].serve(&c);
      return end(&c);
    }
  fail(&c, UNIMPLEMENTED, "there is no such method");
  return end(&c);
}

static int load(const nsgi_boot *boot, void **state) {
  *state = NULL;
  host = boot->host;
  return NSGI_OK;
}

/* Minor 1, for trailers(). The call comes with the head: a greeting may leave before the next name comes. */
static const nsgi_app app = {
  .head = {NSGI_MAGIC, NSGI_MAJOR, 1, sizeof(nsgi_app), NSGI_THREADSAFE | NSGI_STREAMS_IN},
  .name = "grpc_hello", .version = "1", .call = call, .load = load
};

const nsgi_app *nsgi_entry(const nsgi_host *given) {
  (void)given;
  return &app;
}
