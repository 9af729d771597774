/* Prints the layout of nsgi.h as this compiler sees it: "type size N" and "type.member offset size".
 * The answer of each release is kept beside this file (nsgi-MAJOR.MINOR.offsets) and may only grow. */
#include <nsgi.h>
#include <stdio.h>

#define TYPE(type) printf("%s size %zu\n", #type, sizeof(type))
#define MEMBER(type, member) \
  printf("%s.%s %zu %zu\n", #type, #member, offsetof(type, member), sizeof(((type *)0)->member))

int main(void) {

  TYPE(nsgi_environ);
  MEMBER(nsgi_environ, vars);
  MEMBER(nsgi_environ, get);
  MEMBER(nsgi_environ, read);
  MEMBER(nsgi_environ, error);

  TYPE(nsgi_head);
  MEMBER(nsgi_head, magic);
  MEMBER(nsgi_head, major);
  MEMBER(nsgi_head, minor);
  MEMBER(nsgi_head, size);
  MEMBER(nsgi_head, flags);

  TYPE(nsgi_str);
  MEMBER(nsgi_str, p);
  MEMBER(nsgi_str, n);

  TYPE(nsgi_pair);
  MEMBER(nsgi_pair, name);
  MEMBER(nsgi_pair, value);

  TYPE(nsgi_request);
  MEMBER(nsgi_request, size);
  MEMBER(nsgi_request, flags);
  MEMBER(nsgi_request, id);
  MEMBER(nsgi_request, method);
  MEMBER(nsgi_request, script_name);
  MEMBER(nsgi_request, path_info);
  MEMBER(nsgi_request, query);
  MEMBER(nsgi_request, protocol);
  MEMBER(nsgi_request, scheme);
  MEMBER(nsgi_request, remote_addr);
  MEMBER(nsgi_request, content_type);
  MEMBER(nsgi_request, content_length);

  TYPE(nsgi_host);
  MEMBER(nsgi_host, head);
  MEMBER(nsgi_host, server);
  MEMBER(nsgi_host, version);
  MEMBER(nsgi_host, log);
  MEMBER(nsgi_host, extension);
  MEMBER(nsgi_host, environ);
  MEMBER(nsgi_host, fields);
  MEMBER(nsgi_host, env);
  MEMBER(nsgi_host, read);
  MEMBER(nsgi_host, body);
  MEMBER(nsgi_host, respond);
  MEMBER(nsgi_host, start);
  MEMBER(nsgi_host, write);
  MEMBER(nsgi_host, lend);
  MEMBER(nsgi_host, sendfile);
  MEMBER(nsgi_host, flush);
  MEMBER(nsgi_host, on_ready);
  MEMBER(nsgi_host, finish);
  MEMBER(nsgi_host, reason);
  MEMBER(nsgi_host, interim);
  MEMBER(nsgi_host, trailers);
  MEMBER(nsgi_host, request_trailers);

  TYPE(nsgi_boot);
  MEMBER(nsgi_boot, size);
  MEMBER(nsgi_boot, worker);
  MEMBER(nsgi_boot, workers);
  MEMBER(nsgi_boot, generation);
  MEMBER(nsgi_boot, host);
  MEMBER(nsgi_boot, app);
  MEMBER(nsgi_boot, options);
  MEMBER(nsgi_boot, from_version);
  MEMBER(nsgi_boot, from_state);
  MEMBER(nsgi_boot, error);
  MEMBER(nsgi_boot, error_cap);

  TYPE(nsgi_app);
  MEMBER(nsgi_app, head);
  MEMBER(nsgi_app, name);
  MEMBER(nsgi_app, version);
  MEMBER(nsgi_app, call);
  MEMBER(nsgi_app, load);
  MEMBER(nsgi_app, probe);
  MEMBER(nsgi_app, save);
  MEMBER(nsgi_app, drain);
  MEMBER(nsgi_app, unload);
  MEMBER(nsgi_app, thread);
  MEMBER(nsgi_app, cancel);
  MEMBER(nsgi_app, extension);

  TYPE(nsgi_ws_handlers);
  MEMBER(nsgi_ws_handlers, size);
  MEMBER(nsgi_ws_handlers, flags);
  MEMBER(nsgi_ws_handlers, message);
  MEMBER(nsgi_ws_handlers, drain);
  MEMBER(nsgi_ws_handlers, closed);

  TYPE(nsgi_websocket);
  MEMBER(nsgi_websocket, size);
  MEMBER(nsgi_websocket, flags);
  MEMBER(nsgi_websocket, asked);
  MEMBER(nsgi_websocket, accept);
  MEMBER(nsgi_websocket, send);
  MEMBER(nsgi_websocket, ping);
  MEMBER(nsgi_websocket, close);
  MEMBER(nsgi_websocket, buffered);
  MEMBER(nsgi_websocket, pause);
  MEMBER(nsgi_websocket, resume);
  MEMBER(nsgi_websocket, encode);
  MEMBER(nsgi_websocket, send_frame);
  MEMBER(nsgi_websocket, release);
  MEMBER(nsgi_websocket, subscribe);
  MEMBER(nsgi_websocket, unsubscribe);
  MEMBER(nsgi_websocket, publish);
  MEMBER(nsgi_websocket, publish_all);
  MEMBER(nsgi_websocket, lend);
  return 0;
}
