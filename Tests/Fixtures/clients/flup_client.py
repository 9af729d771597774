"""Sends one request through flup's FastCGI or SCGI client and prints status and content.

Usage: flup_client.py fcgi|scgi HOST:PORT|/path.sock BODY-FILE
"""
import io
import sys
import types

from flup.client.fcgi_app import FCGIApp
from flup.client.scgi_app import SCGIApp

# flup 1.0.3 still asks for this name of Python 2.
types.StringTypes = (str,)
protocol, address, body_file = sys.argv[1:4]
connect = address
if not address.startswith("/"):
    host, port = address.rsplit(":", 1)
    connect = (host, int(port))
with open(body_file, "rb") as file:
    body = file.read()
app = (FCGIApp if protocol == "fcgi" else SCGIApp)(connect=connect)
environ = {
    "REQUEST_METHOD": "POST", "SCRIPT_NAME": "", "PATH_INFO": "/flup", "QUERY_STRING": "a=b",
    "REQUEST_URI": "/flup?a=b", "SERVER_NAME": "localhost", "SERVER_PORT": "80",
    "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "192.0.2.7", "CONTENT_LENGTH": str(len(body)),
    "CONTENT_TYPE": "application/octet-stream", "HTTP_HOST": "localhost",
    "wsgi.input": io.BytesIO(body), "wsgi.errors": sys.stderr,
}


def start_response(status, headers):
    """flup hands over bytes, where WSGI wants text."""
    lines = [b"Status: " + status] + [name + b": " + value for name, value in headers]
    sys.stdout.buffer.write(b"\r\n".join(lines) + b"\r\n\r\n")


content = b"".join(app(environ, start_response))
sys.stdout.buffer.write(content)
