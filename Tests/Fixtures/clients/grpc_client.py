"""gRPC's own client (PyPI grpcio) against apps/grpc_hello: grpc_client.py COMMAND ADDRESS [AUTHORITY.pem]

With an authority's certificate the address is that of a server called a.test, over TLS. Messages are written
by hand: what generated code would do is not what is tested."""
import os
import queue
import sys
import threading

# A proxy of the surroundings is none of the test's.
os.environ["no_proxy"] = "*"

import grpc

PATH = "/helloworld.Greeter/"


def varint(value):
    out = b""
    while value >= 128:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def encode(name):
    text = name.encode()
    return b"\x0a" + varint(len(text)) + text


def decode(message):
    assert message[0] == 10, message
    size, shift, at = 0, 0, 1
    while True:
        byte, at = message[at], at + 1
        size, shift = size | (byte & 127) << shift, shift + 7
        if byte < 128:
            break
    assert size == len(message) - at, message
    return message[at:].decode()


def connect():
    if len(sys.argv) < 4:
        return grpc.insecure_channel(sys.argv[2])
    with open(sys.argv[3], "rb") as file:
        credentials = grpc.ssl_channel_credentials(file.read())
    return grpc.secure_channel(
        sys.argv[2], credentials, options=[("grpc.ssl_target_name_override", "a.test")])


channel = connect()
CODES = {"request_serializer": encode, "response_deserializer": decode}
say = channel.unary_unary(PATH + "SayHello", **CODES)
many = channel.unary_stream(PATH + "SayHelloStreamReply", **CODES)
to_all = channel.stream_unary(PATH + "SayHelloToAll", **CODES)
both = channel.stream_stream(PATH + "SayHelloBidiStream", **CODES)


def unary():
    """unary: one call, a long one, and what comes behind the answer."""
    answer, call = say.with_call("World", timeout=30)
    long, _ = say.with_call("x" * 15000, timeout=30)
    print(answer, call.code().name, call.details() or "-", len(long))


def streams():
    """streams: several answers, several questions, and both; a question waits for the answer before it."""
    print([answer for answer in many("World", timeout=30)])
    print(to_all(iter(["a", "b", "c"]), timeout=30))
    answers = queue.Queue()

    def names():
        yield "one"
        for name in "two", "three":
            answers.get(timeout=30)
            yield name

    said = []
    for answer in both(names(), timeout=30):
        said.append(answer)
        answers.put(answer)
    print(said)


def errors():
    """errors: the status of calls that cannot be answered."""
    for path, message in [("Nothing", b""), ("SayHello", b"\xff"), ("SayHello", b"\x0a\x7fx")]:
        try:
            channel.unary_unary(PATH + path)(message, timeout=30)
            print("answered")
        except grpc.RpcError as error:
            print(error.code().name, error.details())
    try:
        say("x" * 20000, timeout=30)
    except grpc.RpcError as error:
        print(error.code().name, error.details())


def concurrent():
    """concurrent: a hundred calls of both kinds at once, each with its own answers."""
    wrong = []

    def one(number):
        if say(f"n{number}", timeout=60) != f"Hello n{number}":
            wrong.append(number)
        names = [f"{number}.{index}" for index in range(20)]
        if list(both(iter(names), timeout=60)) != [f"Hello {name}" for name in names]:
            wrong.append(number)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print("wrong", wrong)


def cancelled():
    """cancelled: a call that its client takes back, and one behind it."""
    waits = threading.Event()

    def names():
        yield "one"
        waits.wait(30)

    call = both(names(), timeout=30)
    first = next(call)
    call.cancel()
    waits.set()
    try:
        next(call)
        print("went on")
    except grpc.RpcError as error:
        print(first, error.code().name, say("World", timeout=30))


{f.__name__: f for f in (unary, streams, errors, concurrent, cancelled)}[sys.argv[1]]()
channel.close()
