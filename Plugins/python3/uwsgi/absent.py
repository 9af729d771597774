# Names of uWSGI's module that do not exist in this server, as the module `_uwsgi_absent`: each says what to
# use instead.

# Names, and beginnings of names (mule_), by what to use.
INSTEAD = {word: instead for instead, words in {
    "use websocket_handshake, websocket_recv, websocket_recv_nb, websocket_send and websocket_send_binary":
        "websocket_",
    "use a queue (Celery, RQ, Huey)": "spool send_to_spooler set_spooler_frequency",
    "make it a program beside the server (attach-daemon), and use a queue":
        "mule_ farm_ in_farm install_mule_msg_hook",
    "use a queue (Celery, RQ, Huey), or the cache (cache2)": "queue_",
    "use the cache (cache2), or multiprocessing.shared_memory": "sharedarea_",
    "use prometheus_client, or %(metric.requests) in log-format": "metric_",
    "use HTTP": "rpc register_rpc call send_message send_multi_message fcgi multicast cluster erlang_ "
                "message_manager_marshal",
    "each request has a thread of its own: wait as usual":
        "async_ suspend green_schedule sorry_i_need_to_block",
    "each request has a thread of its own: wait with select": "wait_fd_",
    "return environ['wsgi.file_wrapper'](file)": "sendfile offload",
    "read environ['wsgi.input']: a chunked body is whole there": "chunked_read",
    "use register_signal": "signal_wait signal_received", "use a thread that sleeps": "add_ms_timer",
    "use a timer": "add_probe", "server ctl --json status has it": "listen_queue",
    "log-maxsize rotates the log": "logsize",
    "log-5xx, log-slow or log-route choose lines": "log_this_request",
    "use procname or procname-prefix in the configuration": "setprocname", "server ctl stop": "stop",
    "a worker accepts from its start to its end": "accepting",
    "start a thread, and return": "disconnect", "the connection is the server's": "connection_fd",
    "use socket": "close connect is_connected send recv",
    "run one server, or choose by the database": "i_am_the_lord lord_ scrolls",
    "write a line (uwsgi.log), and send it on with log-route": "alarm", "use stats or metrics": "snmp_",
    "use a format of Python's (json, pickle)": "parsefile",
    "read uwsgi.opt": "get_option getoption has_hook magic_table",
    "change the configuration": "set_option setoption",
    "read environ['REQUEST_ID'] (request-id = true)": "request_id",
    "write a line (uwsgi.log)": "set_warning_message", "read a file": "embedded_data extract",
    "use environ, which the application is called with": "add_var env",
    "use start_response, which the application is called with": "start_response headers_sent",
    "read environ['CONTENT_LENGTH']": "cl", "systemd is told (sd_notify)": "ready_fd",
    "start a thread, or a process (multiprocessing)": "grunt", "use route of the configuration": "route",
    "use time.time_ns": "micros", "use contextvars": "request_context", "raise an exception": "cancel",
    "sockets are the server's: read uwsgi.opt for their addresses": "sockets",
    "write mount in the configuration": "applist fastfuncs",
    "use sys.path, importlib or zipimport": "SymbolsImporter SymbolsZipImporter ZipImporter",
}.items() for word in words.split()}
# Those that are no functions in uWSGI: reading them is the error.
VALUES = ("applist", "env", "fastfuncs", "magic_table", "queue_size", "sockets", "start_response",
          "SymbolsImporter", "SymbolsZipImporter", "ZipImporter", "message_manager_marshal")


class Absent(NotImplementedError, AttributeError):
    '''For a value: hasattr() and getattr() with a default answer as for any name that is not there.'''


def find(name):
    '''A function that says what to use; for a value, the error itself.'''
    word = next((one for one in sorted(INSTEAD, key=len, reverse=True)
                 if name == one or name.startswith(one) and (one[-1] == "_" or name[len(one)] == "_"
                                                             or one == "spool")), None)
    if word is None:
        raise AttributeError(f"module 'uwsgi' has no attribute {name!r}")
    sentence = f"uwsgi.{name} is not there in this server: {INSTEAD[word]}"
    if name in VALUES:
        raise Absent(sentence)

    def absent(*_, **__):
        raise NotImplementedError(sentence)
    absent.__name__ = absent.__qualname__ = name
    return absent
