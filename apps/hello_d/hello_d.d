// The full form in D: its table has functions that say when the library is loaded and when a thread comes,
// which a runtime with a collector wants to know.
import core.runtime : Runtime;
import core.thread : thread_attachThis, thread_detachThis;

extern (C):

struct Head { uint magic; ushort major, minor; uint size, flags; }
struct Text { const(char)* p; size_t n; }
struct Pair { Text name, value; }

// The beginnings of nsgi_request, nsgi_host and nsgi_app: they grow at the end only.
struct Request { uint size, flags; ulong id; Text method, scriptName, pathInfo; }
struct Boot { uint size, worker, workers, generation; const(Host)* host; }
struct Host {
  Head head;
  const(char)* server, version_;
  void function(ulong id, int level, Text text) log;
  void function() extension, environ, fields, env, read, body_;
  int function(
    ulong id, int status, const(Pair)* fields, size_t n, const(void)* bytes, size_t length) respond;
}
struct App {
  Head head;
  const(char)* name, version_;
  int function(void* state, const(Request)* request) call;
  int function(const(Boot)* boot, void** state) load;
  void function() probe, save, drain;
  void function(void* state) unload;
  void function(void* state, int entering) thread;
}

enum fail = -8;

__gshared const(Host)* host;
__gshared App app = {
  head: {0x4947534e, 1, 0, App.sizeof, 0}, name: "hello_d", version_: "0.1.0",
  call: &call, load: &load, thread: &thread,
};

string greeting() { return "Hello World!\n"; }

int call(void* state, const(Request)* request) {
  // No exception may leave it.
  try {
    if (request.pathInfo.p[0 .. request.pathInfo.n] == "/crash") *cast(int*) null = 1;
    immutable text = greeting();
    const type = Pair(Text("Content-Type", 12), Text("text/plain", 10));
    return host.respond(request.id, 200, &type, 1, text.ptr, text.length);
  } catch (Exception) {
    return fail;
  }
}

// The runtime is not ended: it cannot begin twice, and the library stays in the process.
int load(const(Boot)* boot, void** state) {
  host = boot.host;
  return Runtime.initialize() ? 0 : fail;
}

// The thread of load is the runtime's main one, and known to it; to attach it again changes nothing.
void thread(void* state, int entering) {
  if (entering) thread_attachThis(); else thread_detachThis();
}

export const(App)* nsgi_entry(const(Host)* host) { return &app; }
