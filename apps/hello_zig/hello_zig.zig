//! The full form in Zig, through sdk/zig/nsgi.zig. Zig has no runtime that would have to start; a panic ends
//! the process, as a crash does.
const nsgi = @import("nsgi");
const std = @import("std");

var host: *const nsgi.Host = undefined;
var nowhere: ?*volatile c_int = null;

const headers = [_]nsgi.Pair{.{ .name = .of("Content-Type"), .value = .of("text/plain") }};

/// One request. Runs on several threads at once, as `threadsafe` says below.
fn call(_: ?*anyopaque, request: *const nsgi.Request) callconv(.c) c_int {
    if (std.mem.eql(u8, request.path_info.slice(), "/crash")) nowhere.?.* = 1;
    const text = "Hello World!\n";
    return host.respond(request.id, 200, &headers, headers.len, text, text.len);
}

/// Once in each worker process, before any request.
fn load(boot: *const nsgi.Boot, _: *?*anyopaque) callconv(.c) c_int {
    host = boot.host;
    return nsgi.ok;
}

const app = nsgi.App{
    .head = nsgi.head(nsgi.threadsafe),
    .name = "hello_zig",
    .version = "0.1.0",
    .call = call,
    .load = load,
};

export fn nsgi_entry(_: *const nsgi.Host) ?*const nsgi.App {
    return &app;
}
