/* The layout of nsgi.h, pinned: an application built against any 1.x header meets the same offsets on every
 * 64-bit Linux. A change here is a new major; a new member is a new line at the end of its table. */
#include "nsgi.h"

_Static_assert(sizeof(void *) == 8 && sizeof(size_t) == 8, "nsgi.h is for LP64 systems");

#define SIZE(type, bytes) _Static_assert(sizeof(type) == bytes, #type " has changed its size")
#define AT(type, member, offset) \
  _Static_assert(offsetof(type, member) == offset, #type "." #member " has moved")

SIZE(nsgi_environ, 32);
AT(nsgi_environ, vars, 0);
AT(nsgi_environ, get, 8);
AT(nsgi_environ, read, 16);
AT(nsgi_environ, error, 24);

SIZE(nsgi_head, 16);
AT(nsgi_head, magic, 0);
AT(nsgi_head, major, 4);
AT(nsgi_head, minor, 6);
AT(nsgi_head, size, 8);
AT(nsgi_head, flags, 12);

SIZE(nsgi_str, 16);
AT(nsgi_str, p, 0);
AT(nsgi_str, n, 8);

SIZE(nsgi_pair, 32);
AT(nsgi_pair, name, 0);
AT(nsgi_pair, value, 16);

SIZE(nsgi_request, 152);
AT(nsgi_request, size, 0);
AT(nsgi_request, flags, 4);
AT(nsgi_request, id, 8);
AT(nsgi_request, method, 16);
AT(nsgi_request, script_name, 32);
AT(nsgi_request, path_info, 48);
AT(nsgi_request, query, 64);
AT(nsgi_request, protocol, 80);
AT(nsgi_request, scheme, 96);
AT(nsgi_request, remote_addr, 112);
AT(nsgi_request, content_type, 128);
AT(nsgi_request, content_length, 144);

SIZE(nsgi_host, 184);
AT(nsgi_host, head, 0);
AT(nsgi_host, server, 16);
AT(nsgi_host, version, 24);
AT(nsgi_host, log, 32);
AT(nsgi_host, extension, 40);
AT(nsgi_host, environ, 48);
AT(nsgi_host, fields, 56);
AT(nsgi_host, env, 64);
AT(nsgi_host, read, 72);
AT(nsgi_host, body, 80);
AT(nsgi_host, respond, 88);
AT(nsgi_host, start, 96);
AT(nsgi_host, write, 104);
AT(nsgi_host, lend, 112);
AT(nsgi_host, sendfile, 120);
AT(nsgi_host, flush, 128);
AT(nsgi_host, on_ready, 136);
AT(nsgi_host, finish, 144);
AT(nsgi_host, reason, 152);
AT(nsgi_host, interim, 160);
AT(nsgi_host, trailers, 168);
AT(nsgi_host, request_trailers, 176);

SIZE(nsgi_boot, 88);
AT(nsgi_boot, size, 0);
AT(nsgi_boot, worker, 4);
AT(nsgi_boot, workers, 8);
AT(nsgi_boot, generation, 12);
AT(nsgi_boot, host, 16);
AT(nsgi_boot, app, 24);
AT(nsgi_boot, options, 32);
AT(nsgi_boot, from_version, 40);
AT(nsgi_boot, from_state, 56);
AT(nsgi_boot, error, 72);
AT(nsgi_boot, error_cap, 80);

SIZE(nsgi_app, 104);
AT(nsgi_app, head, 0);
AT(nsgi_app, name, 16);
AT(nsgi_app, version, 24);
AT(nsgi_app, call, 32);
AT(nsgi_app, load, 40);
AT(nsgi_app, probe, 48);
AT(nsgi_app, save, 56);
AT(nsgi_app, drain, 64);
AT(nsgi_app, unload, 72);
AT(nsgi_app, thread, 80);
AT(nsgi_app, cancel, 88);
AT(nsgi_app, extension, 96);

SIZE(nsgi_ws_handlers, 32);
AT(nsgi_ws_handlers, size, 0);
AT(nsgi_ws_handlers, flags, 4);
AT(nsgi_ws_handlers, message, 8);
AT(nsgi_ws_handlers, drain, 16);
AT(nsgi_ws_handlers, closed, 24);

SIZE(nsgi_websocket, 136);
AT(nsgi_websocket, size, 0);
AT(nsgi_websocket, flags, 4);
AT(nsgi_websocket, asked, 8);
AT(nsgi_websocket, accept, 16);
AT(nsgi_websocket, send, 24);
AT(nsgi_websocket, ping, 32);
AT(nsgi_websocket, close, 40);
AT(nsgi_websocket, buffered, 48);
AT(nsgi_websocket, pause, 56);
AT(nsgi_websocket, resume, 64);
AT(nsgi_websocket, encode, 72);
AT(nsgi_websocket, send_frame, 80);
AT(nsgi_websocket, release, 88);
AT(nsgi_websocket, subscribe, 96);
AT(nsgi_websocket, unsubscribe, 104);
AT(nsgi_websocket, publish, 112);
AT(nsgi_websocket, publish_all, 120);
AT(nsgi_websocket, lend, 128);
