/* A room in which everybody hears everybody, whichever worker they have come to: a page, and WebSockets that
 * share a topic. */
#include <nsgi.h>
#include <stdio.h>
#include <string.h>

static const nsgi_host *host;
static const nsgi_websocket *ws;
static const nsgi_str room = NSGI_STR("chat/room");

static const char page[] =
    "<!doctype html><meta charset=utf-8><title>chat</title>\n"
    "<style>body{font:16px system-ui;max-width:40rem;margin:2rem auto}#log{white-space:pre-wrap}</style>\n"
    "<h1>chat</h1><div id=log></div>\n"
    "<form><input id=text autofocus autocomplete=off><button>Say</button></form>\n"
    "<script>\n"
    "const log = document.getElementById('log'), text = document.getElementById('text')\n"
    "const say = line => log.append(line + '\\n')\n"
    "const url = location.protocol.replace('http', 'ws') + '//' + location.host + location.pathname\n"
    "let socket\n"
    "function join() {\n"
    "  socket = new WebSocket(url)\n"
    "  socket.onopen = () => say('(you are in)')\n"
    "  socket.onmessage = event => say(event.data)\n"
    "  socket.onclose = event => { say('(closed with ' + event.code + ')'); setTimeout(join, 1000) }\n"
    "}\n"
    "document.querySelector('form').onsubmit = event => {\n"
    "  event.preventDefault(); socket.send(text.value); text.value = ''\n"
    "}\n"
    "join()\n"
    "</script>\n";

static void message(void *socket, nsgi_ws_id id, int kind, const void *bytes, size_t n) {
  (void)socket;
  /* Also to the client that says it, which shows only what has come back. */
  if (ws->publish_all(room, kind, bytes, n, 0) == NSGI_TOOBIG)
    ws->close(id, 1009, (nsgi_str)NSGI_STR("too long for this room"));
}

static void closed(void *socket, nsgi_ws_id id, int code, nsgi_str reason) {
  (void)socket, (void)reason;
  char line[64];
  int n = snprintf(line, sizeof line, "(somebody has left with %d)", code);
  ws->publish_all(room, NSGI_WS_TEXT, line, (size_t)n, id);
}

static const nsgi_ws_handlers handlers = {sizeof handlers, 0, message, NULL, closed};

static int call(void *state, const nsgi_request *request) {
  (void)state;
  if (ws->asked(request->id) != 1) {
    static const nsgi_pair fields[] = {{NSGI_STR("Content-Type"), NSGI_STR("text/html")}};
    return host->respond(request->id, 200, fields, 1, page, sizeof page - 1);
  }
  nsgi_ws_id id;
  if (ws->accept(request->id, (nsgi_str){NULL, 0}, NULL, 0, &handlers, NULL, &id) == NSGI_OK)
    ws->subscribe(id, room);
  return NSGI_OK;
}

static const nsgi_app app = {NSGI_APP_HEAD(NSGI_THREADSAFE | NSGI_UNLOADABLE), "chat", "1", .call = call};

const nsgi_app *nsgi_entry(const nsgi_host *given) {
  host = given;
  ws = given->extension("nsgi.websocket/1");
  /* The table of an older server ends before publish_all. */
  return ws && ws->size >= sizeof *ws ? &app : NULL;
}
