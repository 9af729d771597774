"""A client of HTTP/2 (PyPI's h2) that does what no polite one does: h2_client.py COMMAND HOST:PORT [WORDS].

Each command prints what it has seen, a line each, and fails when that is not what it is about. This is
one file because the commands share the connection, and tests start it as one program.
"""
import os
import socket
import ssl
import struct
import sys
import time

import h2.config
import h2.connection
import h2.errors
import h2.events
import hpack


# For h2 a connection ends with GOAWAY; what was asked before is still answered.
for (state, said), (function, _) in list(h2.connection.H2ConnectionStateMachine._transitions.items()):
    if said == h2.connection.ConnectionInputs.RECV_GOAWAY:
        h2.connection.H2ConnectionStateMachine._transitions[state, said] = (function, state)


class Client:
    """A connection that keeps the protocol, with a socket."""

    def __init__(self, window=None):
        host, port = sys.argv[2].rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=30)
        if authority := os.environ.get("H2_AUTHORITY"):
            made = ssl.create_default_context(cafile=authority)
            made.set_alpn_protocols(["h2"])
            self.socket = made.wrap_socket(self.socket, server_hostname="a.test")
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.h2.initiate_connection()
        if window is not None:
            self.h2.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: window})
        self.bodies, self.statuses, self.trailers, self.heads = {}, {}, {}, {}
        self.ended, self.reset, self.goaways = set(), {}, []
        self.gives_window = window is None
        self.flush()

    def flush(self):
        self.socket.sendall(self.h2.data_to_send())

    def request(self, path="/", method="GET", ends=True, fields=()):
        stream = self.h2.get_next_available_stream_id()
        head = [(":method", method), (":scheme", "http"), (":authority", "x.test"), (":path", path)]
        self.h2.send_headers(stream, head + list(fields), end_stream=ends)
        self.flush()
        return stream

    def pump(self):
        """Takes what comes next; False at the end."""
        data = self.socket.recv(65536)
        if not data:
            return False
        for event in self.h2.receive_data(data):
            if isinstance(event, h2.events.ResponseReceived):
                self.heads[event.stream_id] = dict(event.headers)
                self.statuses[event.stream_id] = self.heads[event.stream_id][":status"]
            elif isinstance(event, h2.events.DataReceived):
                self.bodies[event.stream_id] = self.bodies.get(event.stream_id, b"") + event.data
                if self.gives_window:
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.StreamEnded):
                self.ended.add(event.stream_id)
            elif isinstance(event, h2.events.StreamReset):
                self.reset[event.stream_id] = int(event.error_code)
            elif isinstance(event, h2.events.ConnectionTerminated):
                self.goaways.append((event.last_stream_id, int(event.error_code)))
        self.flush()
        return True

    def wait(self, *streams):
        while not all(s in self.ended or s in self.reset for s in streams):
            if not self.pump():
                raise SystemExit(f"closed with {self.goaways}, ended {self.ended}, reset {self.reset}")

    def upload(self, stream, body, ends=True):
        while body:
            room = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size)
            if room == 0:
                self.pump()
                continue
            self.h2.send_data(stream, body[:room])
            body = body[room:]
            self.flush()
        if ends:
            self.h2.end_stream(stream)
            self.flush()


class Raw:
    """Frames without anybody who looks at them."""

    def __init__(self):
        host, port = sys.argv[2].rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=30)
        self.socket.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + self.frame(4))
        self.encoder = hpack.Encoder()

    @staticmethod
    def frame(kind, flags=0, stream=0, payload=b""):
        length = struct.pack(">I", len(payload))[1:]
        return length + bytes([kind, flags]) + struct.pack(">I", stream) + payload

    def head(self, stream, flags=5, path="/"):
        fields = [(":method", "GET"), (":scheme", "http"), (":authority", "x"), (":path", path)]
        return self.frame(1, flags, stream, self.encoder.encode(fields))

    def send(self, data):
        try:
            self.socket.sendall(data)
        except OSError:
            pass

    def goaway(self):
        """The code of the GOAWAY that comes, whatever stands in front of it."""
        data = b""
        while True:
            try:
                piece = self.socket.recv(65536)
            except ConnectionResetError:
                piece = b""
            data += piece
            while len(data) >= 9:
                length = int.from_bytes(data[:3], "big")
                if len(data) < 9 + length:
                    break
                kind, payload, data = data[3], data[9 : 9 + length], data[9 + length :]
                if kind == 7:
                    return int.from_bytes(payload[4:8], "big")
            if not piece:
                return None


def flood():
    """flood KIND: sends until the connection ends, and prints the code of GOAWAY."""
    raw = Raw()
    kinds = {
        "reset": lambda n: raw.head(2 * n + 1) + raw.frame(3, 0, 2 * n + 1, struct.pack(">I", 8)),
        "faults": lambda n: raw.head(2 * n + 1, 4) + raw.head(2 * n + 1, 4),
        "ping": lambda n: raw.frame(6, 0, 0, b"12345678"),
        "settings": lambda n: raw.frame(4),
        "empty": lambda n: raw.frame(0, 0, 1),
        "continuation": lambda n: raw.frame(9, 0, 1, b"\x00\x01a\x01b"),
        "priority": lambda n: raw.frame(2, 0, 1, struct.pack(">IB", 3, 1)),
    }
    if sys.argv[3] == "empty":
        raw.send(raw.head(1, 4))
    if sys.argv[3] == "continuation":
        raw.send(raw.head(1, 1))
    for number in range(3000):
        raw.send(kinds[sys.argv[3]](number))
    print(raw.goaway())


def hundred():
    """hundred PATH: a hundred streams at once, all of them answered."""
    client = Client()
    streams = [client.request(sys.argv[3]) for _ in range(100)]
    client.wait(*streams)
    print(len(client.ended), sorted(set(client.statuses.values())), sorted(set(client.bodies.values())))


def starved():
    """starved URGENT LAST [wide]: an answer that goes first takes its time, and one behind it still comes
    whole; wide: windows hold up neither."""
    client = Client(window=1 << 29 if sys.argv[5:] == ["wide"] else None)
    if sys.argv[5:] == ["wide"]:
        client.h2.increment_flow_control_window(1 << 29)
    first = client.request(sys.argv[3], fields=[("priority", "u=0")])
    last = client.request(sys.argv[4], fields=[("priority", "u=7")])
    began = time.monotonic()
    while first not in client.ended:
        assert client.pump()
        time.sleep(0.02)
    taken = time.monotonic() - began
    client.wait(last)
    print(int(taken), client.reset, len(client.bodies[first]), len(client.bodies.get(last, b"")))


def pings():
    """pings PATH: a long answer that no window holds up, and two PINGs for each piece of it that comes;
    whether there were more than may go unanswered, and how long the answer is."""
    client = Client(window=1 << 29)
    client.h2.increment_flow_control_window(1 << 29)
    stream, sent, total = client.request(sys.argv[3]), 0, 0
    while stream not in client.ended and stream not in client.reset:
        if not client.pump():
            raise SystemExit(f"closed with {client.goaways} after {sent} PINGs")
        total += len(client.bodies.pop(stream, b""))
        for _ in range(2):
            client.h2.ping(b"12345678")
        client.flush()
        sent += 2
        # A client that is slower than the server: there is always something that it has not read.
        time.sleep(0.001)
    print(sent > 2000, client.statuses[stream], total, client.reset, client.goaways)


def heads():
    """heads BYTES…: answers with heads of so many bytes, with and without a body, all at once, and PINGs and
    bodies between them; whether each is whole."""
    sizes = [int(word) for word in sys.argv[3:]]
    client = Client()
    wanted = {}
    for _ in range(4):
        for size in sizes:
            for path in ("/head/", "/bare-head/"):
                wanted[client.request(f"{path}{size}")] = (size, b"behind it" if path == "/head/" else b"")
            client.h2.ping(b"12345678")
            client.flush()
            body = client.request("/echo", "POST", ends=False)
            client.upload(body, b"b" * 40000)
            wanted[body] = (0, b"POST 40000 " + b"b" * 40000)
    client.wait(*wanted)
    for stream, (size, body) in wanted.items():
        head = client.heads[stream]
        assert head[":status"] == "200" and client.bodies.get(stream, b"") == body, (size, head)
        fields = [head.get("x-long-" + letter, "") for letter in "abcd"]
        assert fields == [letter * (size // 4) for letter in "abcd"], (size, [len(field) for field in fields])
    print(len(wanted), "whole")


def requests():
    """requests BYTES…: requests with so many bytes of fields, all at once; what became of each, and whether
    the application has all of it."""
    client = Client()
    sizes = [int(word) for word in sys.argv[3:]]
    # Fields that stand in no table of HPACK.
    fields = {size: [(f"x-{i}", chr(97 + i) * (size // 8)) for i in range(8)] for size in sizes}
    streams = {client.request("/", fields=fields[size]): size for size in sizes}
    client.wait(*streams)
    said = []
    for stream, size in streams.items():
        seen = client.bodies.get(stream, b"").decode()
        is_whole = all(f"HTTP_X_{i}={fields[size][i][1]}\n" in seen for i in range(8))
        said.append(f"{size} {client.statuses.get(stream, client.reset.get(stream))} {is_whole}")
    print(", ".join(said))


def trailers():
    """trailers PATH: a body with trailers behind it."""
    client = Client()
    stream = client.request(sys.argv[3], "POST", False, [("te", "trailers")])
    client.h2.send_data(stream, b"hello")
    client.h2.send_headers(stream, [("x-sum", "1")], end_stream=True)
    client.flush()
    client.wait(stream)
    print(client.statuses[stream], client.bodies[stream].decode())


def cancel():
    """cancel SLOW QUICK: one stream is taken back, the other is answered."""
    client = Client()
    slow = client.request(sys.argv[3])
    time.sleep(0.2)
    client.h2.reset_stream(slow, 8)
    client.flush()
    quick = client.request(sys.argv[4])
    client.wait(quick)
    print(client.statuses[quick], client.bodies[quick].decode(), slow in client.ended)


def refused():
    """refused HOLD QUICK: one stream takes the last room; what becomes of 1200 others, twenty at a time."""
    client = Client()
    client.request(sys.argv[3])
    for _ in range(60):
        client.wait(*[client.request(sys.argv[4]) for _ in range(20)])
    print(len(client.reset), sorted(set(client.reset.values())), client.statuses, client.goaways)


def stalled():
    """stalled BIG QUICK: a stream whose window is used up does not hold up another; then all of it comes."""
    client = Client(window=1000)
    big = client.request(sys.argv[3])
    while len(client.bodies.get(big, b"")) < 1000:
        client.pump()
    quick = client.request(sys.argv[4])
    client.wait(quick)
    before = len(client.bodies[big])
    client.gives_window = True
    client.h2.increment_flow_control_window(10_000_000)
    client.h2.increment_flow_control_window(10_000_000, big)
    client.flush()
    client.wait(big)
    print(before, client.statuses[quick], len(client.bodies[big]), client.bodies[big].count(b"a"))


def never():
    """never BIG: the window of a stream stays shut until the server ends it; its code."""
    client = Client(window=10)
    big = client.request(sys.argv[3])
    client.wait(big)
    quick = client.request(sys.argv[4])
    client.h2.increment_flow_control_window(10_000_000, quick)
    client.flush()
    client.wait(quick)
    print(client.reset.get(big), client.statuses[quick])


def backpressure():
    """backpressure PATH: how many bytes a stream takes whose application does not read; then it does."""
    client = Client()
    stream = client.request(sys.argv[3], "POST", False)
    time.sleep(0.2)
    sent = 0
    client.socket.settimeout(0.5)
    while True:
        room = min(client.h2.local_flow_control_window(stream), client.h2.max_outbound_frame_size)
        if room == 0:
            try:
                client.pump()
            except TimeoutError:
                break
            continue
        client.h2.send_data(stream, b"a" * room)
        client.flush()
        sent += room
    client.socket.settimeout(30)
    client.upload(stream, b"b")
    client.wait(stream)
    print(sent, client.statuses[stream], client.bodies[stream].decode())


def uploads():
    """uploads STALLED PATH: sixteen streams take what they can of bodies that nobody reads; then another one
    is uploaded. How many of the sixteen took no less than 256 KiB; what the other is answered."""
    client = Client()
    stalled = {client.request(sys.argv[3], "POST", False): 0 for _ in range(16)}
    client.socket.settimeout(0.5)
    while True:
        before = sum(stalled.values())
        for stream in stalled:
            room = min(client.h2.local_flow_control_window(stream), client.h2.max_outbound_frame_size)
            if room > 0:
                client.h2.send_data(stream, b"a" * room)
                client.flush()
                stalled[stream] += room
        if sum(stalled.values()) == before:
            try:
                client.pump()
            except TimeoutError:
                break
    client.socket.settimeout(30)
    active = client.request(sys.argv[4], "POST", False)
    client.upload(active, b"b" * 6_000_000)
    client.wait(active)
    full = sum(sent >= 256 * 1024 for sent in stalled.values())
    print(full, client.statuses[active], client.bodies[active].decode(), client.reset)


def upload():
    """upload PATH COUNT: a body of so many bytes, and the beginning of the answer."""
    client = Client()
    stream = client.request(sys.argv[3], "POST", False)
    client.upload(stream, b"a" * int(sys.argv[4]))
    client.wait(stream)
    print(client.statuses[stream], len(client.bodies[stream]), client.bodies[stream][:40])


def websocket():
    """websocket PATH TEXT: a WebSocket by extended CONNECT (RFC 8441) says TEXT, hears what comes back, and
    closes; the code that it hears then, and whether the stream ends."""
    client = Client()
    while not client.h2.remote_settings.enable_connect_protocol:
        assert client.pump()
    fields = [(":protocol", "websocket"), ("sec-websocket-version", "13")]
    stream, taken = client.request(sys.argv[3], "CONNECT", False, fields), 0

    def say(opcode, payload):
        masked = bytes(byte ^ b"mask"[index % 4] for index, byte in enumerate(payload))
        client.h2.send_data(stream, bytes([0x80 | opcode, 0x80 | len(payload)]) + b"mask" + masked)
        client.flush()

    def hear():
        nonlocal taken
        while len(client.bodies.get(stream, b"")) < taken + 2 + (client.bodies[stream] + bytes(2))[taken + 1]:
            assert client.pump()
        start, count = taken + 2, client.bodies[stream][taken + 1]
        taken = start + count
        return client.bodies[stream][start:taken]

    client.bodies[stream] = b""
    say(1, sys.argv[4].encode())
    said = hear().decode()
    say(8, struct.pack(">H", 1000))
    code = int.from_bytes(hear(), "big")
    client.wait(stream)
    print(client.statuses[stream], said, code, stream in client.ended)


def leaving():
    """leaving SLOW: prints "asked"; when that is answered and the connection closed, the GOAWAYs."""
    client = Client()
    slow = client.request(sys.argv[3])
    print("asked", flush=True)
    client.wait(slow)
    while client.pump():
        pass
    print(client.statuses[slow], client.bodies[slow].decode(), client.goaways)


def load():
    """load PATH END: twenty streams at a time until the file END is there; a new connection behind GOAWAY.
    How many were answered is in END.answers meanwhile."""
    answers, lost, connections = 0, 0, 0
    while not os.path.exists(sys.argv[4]):
        client = Client()
        connections += 1
        while not client.goaways and not os.path.exists(sys.argv[4]):
            streams = [client.request(sys.argv[3]) for _ in range(20)]
            client.wait(*streams)
            answered = sum(client.statuses.get(s) == "200" and s in client.ended for s in streams)
            # Those behind the last one of GOAWAY are for another connection.
            unserved = sum(s > last for s in streams for last, _ in client.goaways[-1:])
            answers, lost = answers + answered, lost + len(streams) - answered - unserved
            with open(sys.argv[4] + ".answers.new", "w") as file: file.write(str(answers))
            os.rename(sys.argv[4] + ".answers.new", sys.argv[4] + ".answers")
        client.socket.close()
    print("answers", answers, "lost", lost, "connections", connections)


{f.__name__: f for f in (
    flood, hundred, refused, starved, pings, heads, requests, trailers, cancel, stalled, never, backpressure,
    upload, uploads, websocket, leaving, load,
)}[sys.argv[1]]()
