"""The other side of HPACK for WireTests: PyPI's hpack.

encode COUNT   prints COUNT conversations: "new", then a line a block: its hex, and that of its fields
decode         reads blocks in hex, a line each, and prints the hex of their fields, joined by \\x01
"""
import random
import sys

import hpack

NAMES = [
    ":method", ":path", ":scheme", ":authority", "accept", "accept-encoding", "cookie", "user-agent",
    "x-trace",
    "referer", "content-type", "content-length", "x" * 40, "if-none-match", "authorization",
]
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/?&=;, \"'(){}<>|!#$%*+@^`\\"


def encode(count):
    rng = random.Random(20)
    values = ["".join(rng.choices(LETTERS, k=rng.choice([0, 1, 5, 20, 60, 300]))) for _ in range(60)]
    for _ in range(count):
        encoder = hpack.Encoder()
        print("new")
        for number in range(rng.randint(2, 9)):
            if rng.random() < 0.2:
                encoder.header_table_size = rng.choice([0, 100, 1000, 4096])
            fields = []
            for _ in range(rng.randint(1, 12)):
                name, value = rng.choice(NAMES), rng.choice(values)
                secret = rng.random() < 0.1
                fields.append(hpack.NeverIndexedHeaderTuple(name, value) if secret else (name, value))
            block = encoder.encode(fields, huffman=rng.random() < 0.7)
            print(block.hex(), *[f"{name}: {value}".encode().hex() for name, value in fields])


def decode():
    for line in sys.stdin:
        fields = hpack.Decoder().decode(bytes.fromhex(line.strip()))
        print("\x01".join(f"{name}: {value}" for name, value in fields).encode().hex())


if sys.argv[1] == "encode":
    encode(int(sys.argv[2]))
else:
    decode()
