/* WebSockets that do what their messages say, for tests; anything else is said back. Not thread-safe with
 * -DALONE. The application's log tells of each end. */
#include <nsgi.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef ALONE
#define PROMISES (NSGI_THREADSAFE | NSGI_UNLOADABLE)
#else
#define PROMISES NSGI_UNLOADABLE
#endif
#ifndef VERSION
#define VERSION "1"
#endif

static const nsgi_host *host;
static const nsgi_websocket *ws;
/* The socket that said "watch" last, which "nudge" of another one makes the server look at, "hold" pauses,
 * "free" resumes, and "shut" closes. */
static _Atomic nsgi_ws_id watched;

typedef struct peer {
  int drains;
  nsgi_ws_id last;
} peer;

static void say(nsgi_ws_id id, const char *text) { ws->send(id, NSGI_WS_TEXT, text, strlen(text)); }

static void drain(void *socket, nsgi_ws_id id) {
  peer *one = socket;
  one->drains++;
  (void)id;
}

/* Publishes so many messages of n bytes for the sockets of all workers. */
static void shout(nsgi_str topic, size_t n, int count) {
  char *bytes = calloc(1, n + 1);
  for (int i = 0; i < count; i++) ws->publish_all(topic, NSGI_WS_BINARY, bytes, n, 0);
  free(bytes);
}

/* What publish_all answers to a topic of t bytes and a message of n. */
static int measure(size_t t, size_t n) {
  char *bytes = calloc(1, (t > n ? t : n) + 1);
  memset(bytes, 'x', t);
  int64_t reached = ws->publish_all((nsgi_str){bytes, t}, NSGI_WS_BINARY, bytes, n, 0);
  free(bytes);
  return (int)reached;
}

/* Sends messages of n bytes until there is no more room; how many were taken. */
static void flood(nsgi_ws_id id, size_t n) {
  char *bytes = calloc(1, n);
  int taken = 0;
  while (taken < 100000 && ws->send(id, NSGI_WS_BINARY, bytes, n) == NSGI_OK) taken++;
  free(bytes);
  char line[64];
  snprintf(line, sizeof line, "flooded %d", taken);
  host->log(0, NSGI_INFO, (nsgi_str){line, strlen(line)});
}

static _Atomic int released;

static void release(void *bytes) {
  free(bytes);
  released++;
}

/* Lends two messages of n bytes, of which the second one's socket is none, and says how many came back. */
static void lend(nsgi_ws_id id, size_t n) {
  char line[64];
  char *bytes = malloc(n + 1), *more = malloc(n + 1);
  memset(bytes, 'y', n);
  int result = ws->lend(id, NSGI_WS_TEXT, bytes, n, release, bytes);
  int late = ws->lend(id ^ ((nsgi_ws_id)1 << 40), NSGI_WS_TEXT, more, n, release, more);
  int bad = ws->lend(id, 7, "z", 1, NULL, NULL);
  snprintf(line, sizeof line, "lent %d %d %d, %d back", result, late, bad, released);
  say(id, line);
}

static void message(void *socket, nsgi_ws_id id, int kind, const void *bytes, size_t n) {
  peer *one = socket;
  char text[256] = "", word[64] = "";
  int number = 0, more = 0;
  if (kind == NSGI_WS_TEXT && n < sizeof text) memcpy(text, bytes, n);
  if (sscanf(text, "close %d %63[^\n]", &number, word) >= 1) {
    ws->close(id, number, (nsgi_str){word, strlen(word)});
  } else if (sscanf(text, "sleep %d", &number) == 1) {
    usleep((useconds_t)number * 1000);
    say(id, "slept");
  } else if (sscanf(text, "gate %63s", word) == 1) {
    /* Waits until there is such a file. */
    while (access(word, F_OK)) usleep(1000);
    say(id, "open");
  } else if (sscanf(text, "flood %d", &number) == 1) {
    flood(id, (size_t)number);
  } else if (sscanf(text, "size %d", &number) == 1) {
    char *all = malloc((size_t)number + 1);
    memset(all, 'x', (size_t)number);
    ws->send(id, NSGI_WS_TEXT, all, (size_t)number);
    free(all);
  } else if (sscanf(text, "join %63s", word) == 1) {
    ws->subscribe(id, (nsgi_str){word, strlen(word)});
    say(id, "joined");
  } else if (sscanf(text, "leave %63s", word) == 1) {
    ws->unsubscribe(id, (nsgi_str){word, strlen(word)});
    say(id, "left");
  } else if (sscanf(text, "tell %63s", word) == 1) {
    char line[64];
    int64_t reached = ws->publish((nsgi_str){word, strlen(word)}, NSGI_WS_TEXT, text, strlen(text), id);
    snprintf(line, sizeof line, "told %d", (int)reached);
    say(id, line);
  } else if (sscanf(text, "all %63s", word) == 1) {
    char line[64];
    int64_t reached =
        ws->publish_all((nsgi_str){word, strlen(word)}, NSGI_WS_TEXT, text, strlen(text), id);
    snprintf(line, sizeof line, "told %d", (int)reached);
    say(id, line);
  } else if (sscanf(text, "shout %63s %d %d", word, &number, &more) == 3) {
    shout((nsgi_str){word, strlen(word)}, (size_t)number, more);
    say(id, "shouted");
  } else if (sscanf(text, "measure %d %d", &number, &more) == 2) {
    char line[32];
    snprintf(line, sizeof line, "measured %d", measure((size_t)number, (size_t)more));
    say(id, line);
  } else if (sscanf(text, "garble %63s", word) == 1) {
    char line[32];
    int64_t reached = ws->publish_all((nsgi_str){word, strlen(word)}, NSGI_WS_TEXT, "\xff", 1, 0);
    snprintf(line, sizeof line, "garbled %d", (int)reached);
    say(id, line);
  } else if (sscanf(text, "lend %d", &number) == 1) {
    lend(id, (size_t)number);
  } else if (strcmp(text, "pid") == 0) {
    char line[32];
    snprintf(line, sizeof line, "pid %d", (int)getpid());
    say(id, line);
  } else if (strcmp(text, "frame") == 0) {
    nsgi_ws_frame *frame = ws->encode(NSGI_WS_TEXT, "a frame", 7);
    ws->send_frame(id, frame);
    ws->send_frame(id, frame);
    ws->release(frame);
  } else if (strcmp(text, "ping") == 0) {
    ws->ping(id, "are you there", 13);
  } else if (strcmp(text, "drains") == 0) {
    char line[32];
    snprintf(line, sizeof line, "drains %d", one->drains);
    say(id, line);
  } else if (strcmp(text, "watch") == 0) {
    watched = id;
    say(id, "watched");
  } else if (strcmp(text, "nudge") == 0) {
    ws->pause(watched);
    ws->resume(watched);
    say(id, "nudged");
  } else if (strcmp(text, "hold") == 0) {
    ws->pause(watched);
    say(id, "held");
  } else if (strcmp(text, "free") == 0) {
    ws->resume(watched);
    say(id, "freed");
  } else if (strcmp(text, "shut") == 0) {
    ws->close(watched, 4000, (nsgi_str)NSGI_STR("enough"));
    say(id, "is shut");
  } else if (strcmp(text, "version") == 0) {
    say(id, VERSION);
  } else if (strcmp(text, "crash") == 0) {
    abort();
  } else if (ws->send(id, kind, bytes, n) == NSGI_AGAIN) {
    ws->close(id, 1008, (nsgi_str)NSGI_STR("read, too"));
  }
}

static void closed(void *socket, nsgi_ws_id id, int code, nsgi_str reason) {
  char line[256];
  /* Nothing may be sent any more, and nothing is read of what is not there. */
  int late = ws->send(id, NSGI_WS_TEXT, "late", 4);
  snprintf(line, sizeof line, "closed with %d '%.*s' late %d", code, (int)reason.n, reason.p, late);
  host->log(0, NSGI_INFO, (nsgi_str){line, strlen(line)});
  free(socket);
}

static const nsgi_ws_handlers handlers = {sizeof handlers, 0, message, drain, closed};

static int call(void *state, const nsgi_request *request) {
  (void)state;
  if (ws->asked(request->id) != 1)
    return host->respond(request->id, 200, NULL, 0, "plain", 5);
  nsgi_str offered = host->env(request->id, (nsgi_str)NSGI_STR("HTTP_SEC_WEBSOCKET_PROTOCOL"));
  static const nsgi_pair fields[] = {{NSGI_STR("X-Build"), NSGI_STR(VERSION)}};
  peer *one = calloc(1, sizeof *one);
  /* A path of /wrong accepts what nobody offers. */
  if (request->path_info.n == 6 && request->path_info.p[1] == 'w') offered = (nsgi_str)NSGI_STR("wrong");
  nsgi_ws_id id = 0;
  if (!offered.p) offered.n = 0;
  int result = ws->accept(request->id, offered, fields, 1, &handlers, one, &id);
  if (result != NSGI_OK) {
    free(one);
    return result == NSGI_GONE ? NSGI_OK : host->respond(request->id, 500, NULL, 0, "misuse", 6);
  }
  if (request->path_info.n == 6 && request->path_info.p[1] == 'e') say(id, "early");
  return NSGI_OK;
}

static const nsgi_app app = {NSGI_APP_HEAD(PROMISES), "websockets", VERSION, .call = call};

NSGI_EXPORT const nsgi_app *nsgi_entry(const nsgi_host *given) {
  host = given;
  ws = given->extension("nsgi.websocket/1");
  return ws ? &app : NULL;
}
