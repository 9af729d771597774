# zlib: bytes in, bytes out. Results are the same for the same input, whoever asks.
library libz.so.1 pure threadsafe max=1000000

/version = zlibVersion() -> cstr

# A checksum: the length of the data is not the client's to say.
/crc32 = crc32(crc: u64 = 0, data: bytes, length: u32 = len(data)) -> u64

# compress2 is told how much room there is, and tells how much it has used. 0 is success.
/compress = compress2(packed: out[1000600], size: inout u64 = len(packed), data: bytes,
  length: u64 = len(data), level: i32 in -1..9 ?= 6) -> i32 fails=nonzero

/uncompress = uncompress(data: out[8000000], size: inout u64 = len(data), packed: bytes,
  length: u64 = len(packed)) -> i32 fails=nonzero
