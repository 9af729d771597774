"""A client of HTTP/2 (PyPI's h2) that does what no polite one does: h2_client.py COMMAND HOST:PORT [WORDS].

Each command prints what it has seen, a line each, and fails when that is not what it is about.
"""
import os
import socket
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
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.h2.initiate_connection()
        if window is not None:
            self.h2.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: window})
        self.bodies, self.statuses, self.trailers = {}, {}, {}
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
                self.statuses[event.stream_id] = dict(event.headers)[":status"]
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


def upload():
    """upload PATH COUNT: a body of so many bytes, and the beginning of the answer."""
    client = Client()
    stream = client.request(sys.argv[3], "POST", False)
    client.upload(stream, b"a" * int(sys.argv[4]))
    client.wait(stream)
    print(client.statuses[stream], len(client.bodies[stream]), client.bodies[stream][:40])


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
    flood, hundred, trailers, cancel, stalled, never, backpressure, upload, leaving, load,
)}[sys.argv[1]]()
