/* Says back what it hears on a WebSocket. */
#include <nsgi.h>

static const nsgi_host *host;
static const nsgi_websocket *ws;

static void message(void *socket, nsgi_ws_id id, int kind, const void *bytes, size_t n) {
  (void)socket;
  /* A client that sends and does not read has to go: what waits for it has a bound (--websocket-queue). */
  if (ws->send(id, kind, bytes, n) == NSGI_AGAIN) ws->close(id, 1008, (nsgi_str)NSGI_STR("read, too"));
}

static const nsgi_ws_handlers handlers = {sizeof handlers, 0, message, NULL, NULL};

static int call(void *state, const nsgi_request *request) {
  (void)state;
  if (ws->asked(request->id) != 1) {
    static const nsgi_pair fields[] = {{NSGI_STR("Content-Type"), NSGI_STR("text/plain")}};
    static const char text[] = "This is for WebSockets.\n";
    return host->respond(request->id, 200, fields, 1, text, sizeof text - 1);
  }
  nsgi_ws_id id;
  ws->accept(request->id, (nsgi_str){NULL, 0}, NULL, 0, &handlers, NULL, &id);
  return NSGI_OK;
}

static const nsgi_app app = {NSGI_APP_HEAD(NSGI_THREADSAFE | NSGI_UNLOADABLE), "ws_echo", "1", .call = call};

const nsgi_app *nsgi_entry(const nsgi_host *given) {
  host = given;
  ws = given->extension("nsgi.websocket/1");
  return ws ? &app : NULL;
}
