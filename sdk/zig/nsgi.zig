//! NSGI for Zig: the full form of nsgi.h, names and order as there; that header is the manual.
const std = @import("std");

pub const ok: c_int = 0;
pub const async_: c_int = 1;
pub const again: c_int = -1;
pub const gone: c_int = -2;
pub const misuse: c_int = -3;
pub const too_big: c_int = -4;
pub const no_memory: c_int = -5;
pub const io: c_int = -6;
pub const timeout: c_int = -7;
pub const fail: c_int = -8;

pub const threadsafe: u32 = 1 << 0;
pub const nonblocking: u32 = 1 << 1;
pub const streams_in: u32 = 1 << 2;
pub const may_async: u32 = 1 << 3;
pub const unloadable: u32 = 1 << 4;

/// Flags of a request, minor 1: what interim() or trailers() is given reaches the client.
pub const takes_interim: u32 = 1 << 4;
pub const takes_trailers: u32 = 1 << 5;

pub const Id = u64;
/// What lend() and on_ready() call, with the argument that they were given.
pub const Callback = *const fn (?*anyopaque) callconv(.c) void;

/// nsgi_str: bytes that somebody else owns.
pub const Str = extern struct {
    p: ?[*]const u8,
    n: usize,

    pub fn of(text: []const u8) Str {
        return .{ .p = text.ptr, .n = text.len };
    }

    pub fn slice(self: Str) []const u8 {
        return if (self.p) |p| p[0..self.n] else "";
    }
};

pub const Pair = extern struct { name: Str, value: Str };

/// The head of both tables.
pub const Head = extern struct {
    magic: u32 = 0x4947534e,
    major: u16 = 1,
    minor: u16 = 0,
    size: u32,
    flags: u32 = 0,
};

pub const Request = extern struct {
    size: u32,
    flags: u32,
    id: Id,
    method: Str,
    script_name: Str,
    path_info: Str,
    query: Str,
    protocol: Str,
    scheme: Str,
    remote_addr: Str,
    content_type: Str,
    content_length: i64,
};

pub const Host = extern struct {
    head: Head,
    server: [*:0]const u8,
    version: [*:0]const u8,
    log: *const fn (Id, c_int, Str) callconv(.c) void,
    extension: *const fn ([*:0]const u8) callconv(.c) ?*const anyopaque,
    environ: *const fn (Id, ?*usize) callconv(.c) ?[*]const Pair,
    fields: *const fn (Id, ?*usize) callconv(.c) ?[*]const Pair,
    env: *const fn (Id, Str) callconv(.c) Str,
    read: *const fn (Id, [*]u8, usize) callconv(.c) i64,
    body: *const fn (Id, *Str) callconv(.c) c_int,
    respond: *const fn (Id, c_int, [*]const Pair, usize, [*]const u8, usize) callconv(.c) c_int,
    start: *const fn (Id, c_int, [*]const Pair, usize) callconv(.c) c_int,
    write: *const fn (Id, [*]const u8, usize) callconv(.c) c_int,
    lend: *const fn (Id, [*]const u8, usize, ?Callback, ?*anyopaque) callconv(.c) c_int,
    sendfile: *const fn (Id, c_int, i64, i64) callconv(.c) c_int,
    flush: *const fn (Id) callconv(.c) c_int,
    on_ready: *const fn (Id, c_int, ?Callback, ?*anyopaque) callconv(.c) c_int,
    finish: *const fn (Id, c_int) callconv(.c) c_int,
    reason: *const fn (Id, Str) callconv(.c) c_int,
    // Since minor 1: see hasTrailers().
    interim: *const fn (Id, c_int, [*]const Pair, usize) callconv(.c) c_int,
    trailers: *const fn (Id, [*]const Pair, usize) callconv(.c) c_int,
    request_trailers: *const fn (Id, ?*usize) callconv(.c) ?[*]const Pair,

    /// The last three functions are there: the host is one of minor 1 or later.
    pub fn hasTrailers(self: *const Host) bool {
        return self.head.minor >= 1;
    }
};

pub const Boot = extern struct {
    size: u32,
    worker: u32,
    workers: u32,
    generation: u32,
    host: *const Host,
    app: *const App,
    options: [*:null]const ?[*:0]const u8,
    from_version: Str,
    from_state: Str,
    err: [*]u8,
    err_cap: usize,
};

pub const Sink = *const fn (?*anyopaque, [*]const u8, usize) callconv(.c) c_int;

pub const App = extern struct {
    head: Head,
    name: ?[*:0]const u8,
    version: ?[*:0]const u8,
    call: *const fn (?*anyopaque, *const Request) callconv(.c) c_int,
    load: ?*const fn (*const Boot, *?*anyopaque) callconv(.c) c_int = null,
    probe: ?*const fn (?*anyopaque) callconv(.c) c_int = null,
    save: ?*const fn (?*anyopaque, Sink, ?*anyopaque) callconv(.c) c_int = null,
    drain: ?*const fn (?*anyopaque) callconv(.c) void = null,
    unload: ?*const fn (?*anyopaque) callconv(.c) void = null,
    thread: ?*const fn (?*anyopaque, c_int) callconv(.c) void = null,
    cancel: ?*const fn (?*anyopaque, *const Request) callconv(.c) void = null,
    extension: ?*const fn ([*:0]const u8) callconv(.c) ?*const anyopaque = null,
};

/// nsgi.websocket/1: what a socket is told, and what it and topics can do.
pub const WsId = Id;
pub const ws_text: c_int = 1;
pub const ws_binary: c_int = 2;

pub const WsHandlers = extern struct {
    size: u32,
    flags: u32 = 0,
    message: ?*const fn (?*anyopaque, WsId, c_int, [*]const u8, usize) callconv(.c) void = null,
    drain: ?*const fn (?*anyopaque, WsId) callconv(.c) void = null,
    closed: ?*const fn (?*anyopaque, WsId, c_int, Str) callconv(.c) void = null,
};

pub const WsFrame = opaque {};

pub const WebSocket = extern struct {
    size: u32,
    flags: u32,
    asked: *const fn (Id) callconv(.c) c_int,
    accept: *const fn (Id, Str, ?[*]const Pair, usize, *const WsHandlers, ?*anyopaque, *WsId) callconv(.c) c_int,
    send: *const fn (WsId, c_int, [*]const u8, usize) callconv(.c) c_int,
    ping: *const fn (WsId, [*]const u8, usize) callconv(.c) c_int,
    close: *const fn (WsId, c_int, Str) callconv(.c) c_int,
    buffered: *const fn (WsId) callconv(.c) i64,
    pause: *const fn (WsId) callconv(.c) c_int,
    @"resume": *const fn (WsId) callconv(.c) c_int,
    encode: *const fn (c_int, [*]const u8, usize) callconv(.c) ?*WsFrame,
    send_frame: *const fn (WsId, *WsFrame) callconv(.c) c_int,
    release: *const fn (*WsFrame) callconv(.c) void,
    subscribe: *const fn (WsId, Str) callconv(.c) c_int,
    unsubscribe: *const fn (WsId, Str) callconv(.c) c_int,
    publish: *const fn (Str, c_int, [*]const u8, usize, WsId) callconv(.c) i64,
    publish_all: *const fn (Str, c_int, [*]const u8, usize, WsId) callconv(.c) i64,
    /// Only if `size` reaches beyond it.
    lend: *const fn (WsId, c_int, [*]const u8, usize, ?*const fn (?*anyopaque) callconv(.c) void, ?*anyopaque) callconv(.c) c_int,

    /// The host's table; null if it has none, or one that ends before publish_all.
    pub fn of(host: *const Host) ?*const WebSocket {
        const found = host.extension("nsgi.websocket/1") orelse return null;
        const table: *const WebSocket = @ptrCast(@alignCast(found));
        return if (table.size >= @offsetOf(WebSocket, "lend")) table else null;
    }
};

/// The head of an application's table, with its promises.
pub fn head(flags: u32) Head {
    return .{ .size = @sizeOf(App), .flags = flags };
}

// The layout of nsgi.h 1.1 (Tests/Fixtures/abi).
comptime {
    std.debug.assert(@sizeOf(Request) == 152);
    std.debug.assert(@sizeOf(Boot) == 88);
    std.debug.assert(@sizeOf(Host) == 184);
    std.debug.assert(@sizeOf(App) == 104);
    std.debug.assert(@sizeOf(WsHandlers) == 32);
    std.debug.assert(@sizeOf(WebSocket) == 136);
    std.debug.assert(@offsetOf(WebSocket, "publish_all") == 120);
    std.debug.assert(@offsetOf(WebSocket, "lend") == 128);
}
