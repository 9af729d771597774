/// A new application in Rust: one crate without dependencies, good for rustc 1.63 and later.
extension Template {
  static func rust(_ name: String) -> Template {
    Template(
      language: "Rust",
      files: [
        ("\(name).rs", rustSource(name)),
        ("Makefile", rustMakefile(name)),
        ("README.md", rustReadme(name)),
        (".gitignore", "*.so\n*.new\n"),
      ],
      copies: [("sdk/rust/nsgi.rs", "nsgi.rs")])
  }

  private static func rustSource(_ name: String) -> String {
    """
    // \(name): an application for nsgi-server. nsgi.rs is the manual.
    #[path = "nsgi.rs"]
    mod nsgi;
    use nsgi::{App, Boot, Error, Request, Response};

    // Made once in each worker process; respond runs on several threads at once.
    struct Application;

    impl App for Application {
        const NAME: &'static str = "\(name)";
        const VERSION: &'static str = "0.1.0";

        fn load(_: &Boot) -> Result<Self, String> {
            Ok(Application)
        }

        fn respond(&self, request: &mut Request) -> Result<Response, Error> {
            if request.path() != "/" {
                return Err(Error::Abort(404, "There is nothing here.\\n".into()));
            }
            Ok(Response::text("Hello World!\\n"))
        }
    }

    nsgi::app!(type Application);

    """
  }

  private static func rustMakefile(_ name: String) -> String {
    """
    # panic=unwind: a panic ends at the border of the library, and not with the server.
    RUSTC ?= rustc
    RUSTFLAGS ?= -O
    SO_FLAGS := --edition 2021 --crate-type cdylib --crate-name \(name) -C panic=unwind

    .PHONY: all clean
    all: \(name).so

    # Built beside and moved over: a server that looks at the file meanwhile finds a whole one.
    \(name).so: \(name).rs nsgi.rs Makefile
    \t$(RUSTC) $(RUSTFLAGS) $(SO_FLAGS) \(name).rs -o $@.new
    \tmv $@.new $@

    clean:
    \trm -f \(name).so \(name).so.new

    \(checkVerb(library: "./\(name).so"))
    """
  }

  private static func rustReadme(_ name: String) -> String {
    """
    # \(name)

    An application for nsgi-server in Rust: a type that is an `App`, made once in each worker process, whose
    `respond` answers a request. Panics end at the border. One crate of two files, no package, no
    dependencies; Debian's `rustc` builds it. Everything that it may do is written in `nsgi.rs`.

    \(recipe(library: "./\(name).so"))
    """
  }
}
