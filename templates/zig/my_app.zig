//! my_app: an application for nsgi-server. nsgi.zig declares the interface, and the server's nsgi.h is its
//! manual.
const nsgi = @import("nsgi.zig");
const std = @import("std");

var host: *const nsgi.Host = undefined;

const headers = [_]nsgi.Pair{
    .{ .name = .of("Content-Type"), .value = .of("text/plain; charset=utf-8") },
};

fn answer(request: *const nsgi.Request, status: c_int, text: []const u8) c_int {
    return host.respond(request.id, status, &headers, headers.len, text.ptr, text.len);
}

/// One request. Runs on several threads at once, as `threadsafe` says below.
fn call(_: ?*anyopaque, request: *const nsgi.Request) callconv(.c) c_int {
    const is_here = std.mem.eql(u8, request.path_info.slice(), "/");
    if (!is_here) return answer(request, 404, "There is nothing here.\n");
    return answer(request, 200, "Hello World!\n");
}

/// Once in each worker process, before any request.
fn load(boot: *const nsgi.Boot, state: *?*anyopaque) callconv(.c) c_int {
    host = boot.host;
    state.* = null;
    return nsgi.ok;
}

const app = nsgi.App{
    .head = nsgi.head(nsgi.threadsafe),
    .name = "my_app",
    .version = "0.1.0",
    .call = call,
    .load = load,
};

export fn nsgi_entry(_: *const nsgi.Host) ?*const nsgi.App {
    return &app;
}
