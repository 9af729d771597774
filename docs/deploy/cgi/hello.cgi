#!/bin/sh
# A CGI program around an app: the server answers the one request in its environment, and ends.
exec /usr/local/bin/server --cgi --app /usr/local/lib/nsgi/hello_world_app.so
