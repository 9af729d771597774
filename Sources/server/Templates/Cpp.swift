/// A new application in C++: a handler that is called on several threads at once, through nsgi.hpp.
extension Template {
  static func cpp(_ name: String) -> Template {
    Template(
      language: "C++",
      files: [
        ("\(name).cpp", cppSource(name)),
        ("Makefile", cppMakefile(name)),
        ("README.md", cppReadme(name)),
        (".gitignore", "*.so\n*.new\n"),
      ],
      copies: [
        ("Sources/CNSGI/include/nsgi.h", "nsgi.h"), ("Sources/CNSGI/include/nsgi.hpp", "nsgi.hpp"),
      ])
  }

  private static func cppSource(_ name: String) -> String {
    """
    // \(name): an application for nsgi-server. nsgi.hpp is the manual.
    #include "nsgi.hpp"

    namespace {

    // Made once in each worker process; respond() runs on several threads at once, as NSGI_THREADSAFE says.
    class App final : public nsgi::App {
     public:
      explicit App(const nsgi::Boot &) {}

      nsgi::Response respond(nsgi::Request &request) override {
        if (request.path() != "/") throw nsgi::Abort(404, "There is nothing here.\\n");
        return nsgi::Response::text("Hello World!\\n");
      }
    };

    }  // namespace

    NSGI_APP_CLASS(App, "\(name)", "0.1.0", NSGI_THREADSAFE)

    """
  }

  private static func cppMakefile(_ name: String) -> String {
    """
    # Hidden visibility: the library exports its entry and nothing else. Without unique symbols, which would
    # pin it in memory.
    CXX ?= c++
    CXXFLAGS ?= -O2 -g
    SO_FLAGS := -std=c++17 -fPIC -shared -fvisibility=hidden -fno-gnu-unique -Wall -Wextra \\
      -Wl,-z,defs -Wl,--build-id

    .PHONY: all clean
    all: \(name).so

    # Built beside and moved over: a server that looks at the file meanwhile finds a whole one.
    \(name).so: \(name).cpp nsgi.h nsgi.hpp Makefile
    \t$(CXX) $(CXXFLAGS) $(SO_FLAGS) \(name).cpp -o $@.new
    \tmv $@.new $@

    clean:
    \trm -f \(name).so \(name).so.new

    \(checkVerb(library: "./\(name).so"))
    """
  }

  private static func cppReadme(_ name: String) -> String {
    """
    # \(name)

    An application for nsgi-server in C++17: a class derived from `nsgi::App`, made once in each worker
    process, whose `respond` answers a request. Exceptions end at the border. Everything that it may do is
    written in `nsgi.hpp`.

    \(recipe(library: "./\(name).so"))
    """
  }
}
