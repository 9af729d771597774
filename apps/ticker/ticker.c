/* A clock that ticks for everybody: one thread makes each message once, and it goes to all WebSockets that
 * have come. --app-option milliseconds=N sets the time between two ticks. */
#include <nsgi.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const nsgi_host *host;
static const nsgi_websocket *ws;
static const nsgi_str topic = NSGI_STR("ticker/ticks");

static pthread_t ticking;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t over;
static int is_over;
static long milliseconds = 1000;

static const char page[] =
    "<!doctype html><meta charset=utf-8><title>ticker</title>\n"
    "<style>body{font:16px system-ui;max-width:40rem;margin:2rem auto}b{font-size:3rem}</style>\n"
    "<h1>ticker</h1><b id=tick>…</b>\n"
    "<script>\n"
    "const tick = document.getElementById('tick')\n"
    "const url = location.protocol.replace('http', 'ws') + '//' + location.host + location.pathname\n"
    "function join() {\n"
    "  const socket = new WebSocket(url)\n"
    "  socket.onmessage = event => tick.textContent = event.data\n"
    "  socket.onclose = () => setTimeout(join, 1000)\n"
    "}\n"
    "join()\n"
    "</script>\n";

static void *tick(void *unused) {
  (void)unused;
  struct timespec next;
  clock_gettime(CLOCK_MONOTONIC, &next);
  pthread_mutex_lock(&lock);
  for (unsigned long number = 1; !is_over; number++) {
    next.tv_sec += milliseconds / 1000;
    next.tv_nsec += milliseconds % 1000 * 1000000;
    if (next.tv_nsec >= 1000000000) next.tv_sec++, next.tv_nsec -= 1000000000;
    while (!is_over && pthread_cond_timedwait(&over, &lock, &next) == 0) {}
    if (is_over) break;
    char line[32];
    int n = snprintf(line, sizeof line, "tick %lu", number);
    /* Encoded once. One whose queue is full misses a tick: nobody holds up the others. */
    ws->publish(topic, NSGI_WS_TEXT, line, (size_t)n, 0);
  }
  pthread_mutex_unlock(&lock);
  return NULL;
}

static int load(const nsgi_boot *boot, void **state) {
  *state = NULL;
  for (const char *const *option = boot->options; option && option[0]; option += 2)
    if (strcmp(option[0], "milliseconds") == 0) milliseconds = atol(option[1]);
  if (milliseconds < 1 || milliseconds > 3600000) {
    snprintf(boot->error, boot->error_cap, "milliseconds is a number from 1 to 3600000");
    return NSGI_FAIL;
  }
  pthread_condattr_t monotonic;
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  pthread_cond_init(&over, &monotonic);
  pthread_condattr_destroy(&monotonic);
  if (pthread_create(&ticking, NULL, tick, NULL) != 0) {
    snprintf(boot->error, boot->error_cap, "there is no thread for the ticks");
    return NSGI_FAIL;
  }
  return NSGI_OK;
}

static int call(void *state, const nsgi_request *request) {
  (void)state;
  if (ws->asked(request->id) != 1) {
    static const nsgi_pair fields[] = {{NSGI_STR("Content-Type"), NSGI_STR("text/html")}};
    return host->respond(request->id, 200, fields, 1, page, sizeof page - 1);
  }
  /* Nothing is expected of a client: without handlers what it says is thrown away. */
  static const nsgi_ws_handlers handlers = {sizeof handlers, 0, NULL, NULL, NULL};
  nsgi_ws_id id;
  if (ws->accept(request->id, (nsgi_str){NULL, 0}, NULL, 0, &handlers, NULL, &id) == NSGI_OK)
    ws->subscribe(id, topic);
  return NSGI_OK;
}

static void unload(void *state) {
  (void)state;
  pthread_mutex_lock(&lock);
  is_over = 1;
  pthread_cond_signal(&over);
  pthread_mutex_unlock(&lock);
  pthread_join(ticking, NULL);
}

static const nsgi_app app = {
    NSGI_APP_HEAD(NSGI_THREADSAFE), "ticker", "1", .call = call, .load = load, .unload = unload};

const nsgi_app *nsgi_entry(const nsgi_host *given) {
  host = given;
  ws = given->extension("nsgi.websocket/1");
  return ws ? &app : NULL;
}
