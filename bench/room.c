/* For `make bench-websocket`: whoever comes is in one room, and what one says goes to all, encoded once. */
#include <nsgi.h>

static const nsgi_host *host;
static const nsgi_websocket *ws;
static const nsgi_str room = NSGI_STR("bench/room");

static void message(void *socket, nsgi_ws_id id, int kind, const void *bytes, size_t n) {
  (void)socket, (void)id;
  ws->publish(room, kind, bytes, n, 0);
}

static const nsgi_ws_handlers handlers = {sizeof handlers, 0, message, NULL, NULL};

static int call(void *state, const nsgi_request *request) {
  (void)state;
  if (ws->asked(request->id) != 1) return host->respond(request->id, 426, NULL, 0, "", 0);
  nsgi_ws_id id;
  if (ws->accept(request->id, (nsgi_str){NULL, 0}, NULL, 0, &handlers, NULL, &id) == NSGI_OK)
    ws->subscribe(id, room);
  return NSGI_OK;
}

static const nsgi_app app = {NSGI_APP_HEAD(NSGI_THREADSAFE | NSGI_UNLOADABLE), "room", "1", .call = call};

NSGI_EXPORT const nsgi_app *nsgi_entry(const nsgi_host *given) {
  host = given;
  ws = given->extension("nsgi.websocket/1");
  return ws ? &app : NULL;
}
