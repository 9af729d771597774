/// A new application in C: the full form, thread-safe, one function and a table.
extension Template {
  static func c(_ name: String) -> Template {
    Template(
      language: "C",
      files: [
        ("\(name).c", cSource(name)),
        ("Makefile", cMakefile(name)),
        ("README.md", cReadme(name)),
        (".gitignore", "*.so\n*.new\n"),
      ],
      copies: [("Sources/CNSGI/include/nsgi.h", "nsgi.h")])
  }

  private static func cSource(_ name: String) -> String {
    """
    /* \(name): an application for nsgi-server. nsgi.h is the manual. */
    #include "nsgi.h"

    #include <string.h>

    static const nsgi_host *host;

    static const nsgi_pair headers[] = {{NSGI_STR("Content-Type"), NSGI_STR("text/plain; charset=utf-8")}};

    static int answer(const nsgi_request *request, int status, const char *text) {
      return host->respond(request->id, status, headers, 1, text, strlen(text));
    }

    /* One request. Runs on several threads at once, as NSGI_THREADSAFE says below. */
    static int call(void *state, const nsgi_request *request) {
      (void)state;
      if (strcmp(request->path_info.p, "/") != 0) return answer(request, 404, "There is nothing here.\\n");
      return answer(request, 200, "Hello World!\\n");
    }

    /* Once in each worker process, before any request. */
    static int load(const nsgi_boot *boot, void **state) {
      host = boot->host;
      *state = NULL;
      return NSGI_OK;
    }

    static const nsgi_app app = {
      .head = NSGI_APP_HEAD(NSGI_THREADSAFE),
      .name = "\(name)",
      .version = "0.1.0",
      .call = call,
      .load = load,
    };

    const nsgi_app *nsgi_entry(const nsgi_host *unused) {
      (void)unused;
      return &app;
    }

    """
  }

  private static func cMakefile(_ name: String) -> String {
    """
    # Hidden visibility: the library exports its entry and nothing else.
    CC ?= cc
    CFLAGS ?= -O2 -g
    SO_FLAGS := -std=c11 -fPIC -shared -fvisibility=hidden -Wall -Wextra -Wl,-z,defs -Wl,--build-id

    .PHONY: all clean
    all: \(name).so

    # Built beside and moved over: a server that looks at the file meanwhile finds a whole one.
    \(name).so: \(name).c nsgi.h Makefile
    \t$(CC) $(CFLAGS) $(SO_FLAGS) \(name).c -o $@.new
    \tmv $@.new $@

    clean:
    \trm -f \(name).so \(name).so.new

    \(checkVerb(library: "./\(name).so"))
    """
  }

  private static func cReadme(_ name: String) -> String {
    """
    # \(name)

    An application for nsgi-server in C: `nsgi_entry` returns a table of functions, of which `call` answers a
    request. Everything that they may do is written in `nsgi.h`.

    \(recipe(library: "./\(name).so"))
    """
  }
}
