"""A client of TLS that says what no other does.

  tls_client.py split HOST:PORT CA NAME           a request whose ciphertext leaves byte by byte
  tls_client.py half HOST:PORT CA NAME            half a body, and the end without close_notify
  tls_client.py pipeline HOST:PORT CA NAME N      N requests at once
  tls_client.py load HOST:PORT CA NAME FILE       one request after the other until FILE is there
  tls_client.py handshakes HOST:PORT CA NAME FILE the same, each on a connection of its own; every other one
                                                  takes the session of the one before up again
  tls_client.py bystander HOST:PORT CA NAME PLAIN PID
                                                  hellos, and behind them a request to HOST:PORT PLAIN, meet
                                                  the worker PID at once; which is answered first?
  tls_client.py relay HOST:PORT CA NAME ALPN      takes connections on a port of its own, which it prints, and
                                                  passes on what they say, sealed; see relay()
"""
import os
import select
import signal
import socket
import ssl
import struct
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
  counts = {"answers": 0, "lost": 0, "connections": 0}
  losses: list[str] = []
  lock = threading.Lock()

  def client():
    peer = None
    while not os.path.exists(end):
      try:
        if peer is None:
          peer = connect(where, authority, name)
          with lock: counts["connections"] += 1
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
  words = [word for name in ("answers", "lost", "connections") for word in (name, counts[name])]
  print(*words, losses[:3])


def handshakes(where: str, authority: str, name: str, end: str):
  counts = {"done": 0, "failed": 0, "resumed": 0}
  failures: list[str] = []
  lock = threading.Lock()

  def client():
    made, session = context(authority), None
    while not os.path.exists(end):
      try:
        plain = socket.create_connection(address(where), timeout=60)
        with made.wrap_socket(plain, server_hostname=name, session=session) as peer:
          peer.sendall(b"GET /?id=0 HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
          got = answer(peer)
          if not got.startswith(b"HTTP/1.1 200"): raise ValueError(got[:80])
          with lock:
            counts["done"] += 1
            counts["resumed"] += peer.session_reused
          session = None if session else peer.session
      except Exception as error:
        with lock:
          counts["failed"] += 1
          failures.append(repr(error))
        session = None

  clients = [threading.Thread(target=client) for _ in range(3)]
  for one in clients: one.start()
  for one in clients: one.join()
  print("done", counts["done"], "failed", counts["failed"], "resumed", counts["resumed"], failures[:3])


def stop(pid: int):
  os.kill(pid, signal.SIGSTOP)
  tasks = f"/proc/{pid}/task"

  def runs(task: str) -> bool:
    with open(f"{tasks}/{task}/stat") as file: return file.read().rsplit(")", 1)[1].split()[0] != "T"

  while any(runs(task) for task in os.listdir(tasks)): time.sleep(0.001)


def bystander(where: str, authority: str, name: str, plain: str, pid: str):
  made = context(authority)
  peers = []
  for _ in range(8):
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = made.wrap_bio(incoming, outgoing, server_hostname=name)
    peers.append((session, socket.create_connection(address(where), timeout=60), outgoing, incoming))
  request = socket.create_connection(address(plain), timeout=60)
  stop(int(pid))
  try:
    for session, peer, outgoing, _ in peers:
      try: session.do_handshake()
      except ssl.SSLWantReadError: peer.sendall(outgoing.read())
    request.sendall(b"GET /?id=0 HTTP/1.1\r\nHost: a.test\r\n\r\n")
  finally:
    os.kill(int(pid), signal.SIGCONT)
  select.select([peer for _, peer, _, _ in peers], [], [], 60)
  is_answered = request in select.select([request], [], [], 0)[0]
  # These give up while others of theirs wait for the key.
  reset(*(peer for _, peer, _, _ in peers[6:]))
  for one in peers[:6]: shake_hands(*one)
  answer(request)
  print("answered" if is_answered else "held up")


def reset(*peers):
  for peer in peers:
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


def shake_hands(session, server, outgoing, incoming):
  while True:
    try:
      session.do_handshake()
      return server.sendall(outgoing.read())
    except ssl.SSLWantReadError:
      server.sendall(outgoing.read())
      piece = server.recv(65536)
      if not piece: raise EOFError("the server has closed")
      incoming.write(piece)


def unseal(session) -> tuple[bytes, str]:
  """What can be read, and how the server's side stands: open, ended by close_notify, or cut."""
  got = b""
  while True:
    try: piece = session.read(65536)
    except ssl.SSLWantReadError: return got, "open"
    except ssl.SSLZeroReturnError: return got, "ended"
    except ssl.SSLError: return got, "cut"
    if not piece: return got, "ended"
    got += piece


def pass_on(client, server, made, name: str):
  """One connection. Nothing is read that the other side has not taken yet, so that slow ones stay slow."""
  incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
  session = made.wrap_bio(incoming, outgoing, server_hostname=name)
  shake_hands(session, server, outgoing, incoming)
  client.setblocking(False)
  server.setblocking(False)
  to_server, says, is_shut = b"", True, False
  # What has come with the end of the handshake.
  to_client, hears = unseal(session)
  while True:
    reads = [client] * (says and not to_server) + [server] * (hears != "gone" and not to_client)
    writes = [server] * bool(to_server) + [client] * bool(to_client)
    if not reads and not writes: break
    readable, writable, _ = select.select(reads, writes, [])
    if client in readable:
      piece = client.recv(16384)
      if piece: session.write(piece)
      else: says = False
    if server in readable:
      piece = server.recv(16384)
      if piece: incoming.write(piece)
      else: incoming.write_eof()
      if hears == "open":
        to_client, hears = unseal(session)
        if hears == "ended" and not to_client: client.shutdown(socket.SHUT_WR)
      if not piece and hears != "cut": hears = "gone"
    to_server += outgoing.read()
    if server in writable: to_server = to_server[server.send(to_server) :]
    if client in writable:
      to_client = to_client[client.send(to_client) :]
      if not to_client and hears in ("ended", "gone"): client.shutdown(socket.SHUT_WR)
    # Past TLS: the server hears no close_notify.
    if not says and not to_server and not is_shut:
      is_shut = True
      if hears != "gone": server.shutdown(socket.SHUT_WR)
    if hears == "cut" and not to_client: raise EOFError("no close_notify")
  client.close()
  server.close()


def relay(where: str, authority: str, name: str, protocol: str):
  """What ends without close_notify ends for the client in a reset; close_notify is its end of the stream. The
  client's own end is that of the connection, without close_notify."""
  made = context(authority)
  made.set_alpn_protocols([protocol])
  listener = socket.create_server(("127.0.0.1", 0), backlog=128)
  print("port", listener.getsockname()[1], flush=True)

  def serve(client):
    server = socket.create_connection(address(where), timeout=60)
    server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try: pass_on(client, server, made, name)
    except (OSError, EOFError): reset(client, server)

  while True:
    client, _ = listener.accept()
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    threading.Thread(target=serve, args=(client,), daemon=True).start()


globals()[sys.argv[1]](*sys.argv[2:])
