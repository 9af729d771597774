"""A client of TLS that says what no other does.

  tls_client.py split HOST:PORT CA NAME           a request whose ciphertext leaves byte by byte
  tls_client.py half HOST:PORT CA NAME            half a body, and the end without close_notify
  tls_client.py pipeline HOST:PORT CA NAME N      N requests at once
  tls_client.py load HOST:PORT CA NAME FILE       one request after the other until FILE is there
"""
import os
import socket
import ssl
import sys
import threading
import time


def context(authority: str) -> ssl.SSLContext:
  made = ssl.create_default_context(cafile=authority)
  made.set_alpn_protocols(["http/1.1"])
  return made


def address(text: str) -> tuple[str, int]:
  host, port = text.rsplit(":", 1)
  return host, int(port)


def connect(where: str, authority: str, name: str) -> ssl.SSLSocket:
  plain = socket.create_connection(address(where), timeout=60)
  return context(authority).wrap_socket(plain, server_hostname=name)


def answer(peer) -> bytes:
  """A head and its body, of announced length or in chunks."""
  got = b""
  while b"\r\n\r\n" not in got:
    piece = peer.recv(65536)
    if not piece: raise EOFError(f"{len(got)} bytes of a head")
    got += piece
  head, body = got.split(b"\r\n\r\n", 1)
  fields = [line.lower() for line in head.split(b"\r\n")]
  if b"transfer-encoding: chunked" in fields:
    while not body.endswith(b"0\r\n\r\n"):
      piece = peer.recv(65536)
      if not piece: raise EOFError(f"{len(body)} bytes of chunks")
      body += piece
    return head + b"\r\n\r\n" + body
  lengths = [line.split(b":")[1] for line in fields if line.startswith(b"content-length:")]
  while len(body) < int(lengths[0]):
    piece = peer.recv(65536)
    if not piece: raise EOFError(f"{len(body)} of {int(lengths[0])} bytes")
    body += piece
  return head + b"\r\n\r\n" + body


def split(where: str, authority: str, name: str):
  plain = socket.create_connection(address(where), timeout=60)
  plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
  incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
  session = context(authority).wrap_bio(incoming, outgoing, server_hostname=name)

  def say():
    for byte in outgoing.read(): plain.sendall(bytes([byte]))

  def until(step):
    while True:
      try:
        result = step()
        say()
        return result
      except ssl.SSLWantReadError:
        say()
        piece = plain.recv(1)
        if not piece: raise EOFError("the server has closed")
        incoming.write(piece)

  until(session.do_handshake)
  session.write(
    b"POST /split HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
  say()
  got = b""
  while True:
    try: piece = until(lambda: session.read(65536))
    except ssl.SSLZeroReturnError: piece = b""
    if not piece: break
    got += piece
  sys.stdout.buffer.write(got)


def half(where: str, authority: str, name: str):
  peer = connect(where, authority, name)
  peer.sendall(b"POST /half HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1000\r\n\r\n0123456789")
  # Past TLS: the server hears no close_notify.
  socket.socket(fileno=os.dup(peer.fileno())).shutdown(socket.SHUT_WR)
  print("answer", len(peer.recv(65536)))


def pipeline(where: str, authority: str, name: str, count: str):
  peer = connect(where, authority, name)
  last = b"GET /last HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n"
  peer.sendall(b"GET /one HTTP/1.1\r\nHost: a.test\r\n\r\n" * (int(count) - 1) + last)
  got = b""
  while piece := peer.recv(65536): got += piece
  print("answers", got.count(b"HTTP/1.1 200"), "last", got.count(b"/last"))


def load(where: str, authority: str, name: str, end: str):
  counts = {"answers": 0, "lost": 0}
  losses: list[str] = []
  lock = threading.Lock()

  def client():
    peer = None
    while not os.path.exists(end):
      try:
        if peer is None: peer = connect(where, authority, name)
        peer.sendall(b"GET /?id=0 HTTP/1.1\r\nHost: a.test\r\n\r\n")
        got = answer(peer)
        if not got.startswith(b"HTTP/1.1 200"): raise ValueError(got[:80])
        with lock: counts["answers"] += 1
        if b"connection: close" in got.lower():
          peer.close()
          peer = None
      except Exception as error:
        with lock:
          counts["lost"] += 1
          losses.append(repr(error))
        peer = None
      time.sleep(0.002)

  clients = [threading.Thread(target=client) for _ in range(4)]
  for one in clients: one.start()
  for one in clients: one.join()
  print("answers", counts["answers"], "lost", counts["lost"], losses[:3])


globals()[sys.argv[1]](*sys.argv[2:])
