// swift-tools-version: 6.2
// Three rings; the dependencies below are the only imports allowed (docs/ARCHITECTURE.md, "Layout").
// TidyTests reads the sources and fails on an import that is not stated here.
import PackageDescription

/// What is delivered has a Swift runtime of its own inside, and shows none of it: machines without Swift run
/// it, and an application in Swift brings the version that it was built with
/// (docs/decisions/006-static-runtime.md). `.build/static` is where scripts/install.sh puts archives of the
/// libraries that come along too.
let ownRuntime: [LinkerSetting] = [
  .unsafeFlags(
    ["-static-stdlib", "-use-ld=lld", "-L\(Context.packageDirectory)/.build/static"]
      + ["--no-export-dynamic", "-z", "relro", "-z", "now"].flatMap { ["-Xlinker", $0] },
    .when(configuration: .release))
]

let package = Package(
  name: "nsgi-server",
  products: [
    .executable(name: "server", targets: ["server"]),
    .executable(name: "config_reader", targets: ["config_reader"]),
    .library(name: "NSGI", targets: ["NSGI"]),
    .library(name: "hello_swift", type: .dynamic, targets: ["hello_swift"]),
    .library(name: "sse", type: .dynamic, targets: ["sse"]),
    .library(name: "nsgi_worker", type: .dynamic, targets: ["WorkerLibrary"]),
    .library(name: "python3_plugin", type: .dynamic, targets: ["python3"]),
    .library(name: "kit_swift", type: .dynamic, targets: ["kit_swift"]),
    .library(name: "table_swift", type: .dynamic, targets: ["table_swift"]),
    .library(name: "nsgi_tls", type: .dynamic, targets: ["nsgi_tls"]),
    .library(name: "ffi_plugin", type: .dynamic, targets: ["ffi_plugin"]),
  ],
  dependencies: [
    // One version, not a range: the same commit is built from the same sources.
    .package(url: "https://github.com/apple/swift-log", exact: "1.16.2")
  ],
  targets: [
    .target(name: "CNSGI"),
    .target(name: "CLinux"),
    // Compression of WebSockets: the system's zlib, loaded when it is first needed.
    .target(name: "CDeflate"),
    .target(name: "Wire"),
    .target(name: "Config", dependencies: ["Control"], resources: [.embedInCode("UWSGI/options.tsv")]),
    .target(name: "Control"),
    .target(name: "Posix", dependencies: ["Control", "CLinux"]),
    .target(
      name: "Host",
      dependencies: [
        "Wire", "Config", "Control", "Posix", "CNSGI", "CLinux", "CDeflate", "CTLS",
        .product(name: "Logging", package: "swift-log"),
      ],
      // One thread at a time owns the worker, by its leadership; the run-time checks of exclusive access guard
      // nothing there.
      swiftSettings: [.unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release))]),
    // `server check`: what is in an application, and whether it keeps to nsgi.h.
    .target(name: "Check", dependencies: ["Host", "Wire", "Config", "Control", "Posix", "CNSGI", "CLinux"]),
    // Requests replayed to copies of two builds before a new one serves anybody.
    .target(name: "Replay", dependencies: ["Host", "Config", "Control", "Posix", "CLinux", "CDeflate"]),
    .target(name: "NSGI", dependencies: ["CNSGI"]),
    .target(name: "Master", dependencies: ["Config", "Control", "Posix", "CLinux"]),
    // Shows the server's figures, in a process of its own.
    .target(
      name: "Watch", dependencies: ["Config", "Control", "CLinux"], resources: [.embedInCode("page.html")]),
    .executableTarget(
      name: "server",
      dependencies: ["Host", "Check", "Replay", "Master", "Watch", "Config", "Control", "Posix"],
      resources: [.embedInCode("evaluate_gunicorn.py")],
      linkerSettings: ownRuntime),
    // The worker for a program that is not the server's own: the interpreter of a language loads it.
    .target(name: "CWorker", exclude: ["exports.map"]),
    .target(
      name: "WorkerLibrary", dependencies: ["Host", "CWorker"],
      linkerSettings: ownRuntime + [
        .unsafeFlags(
          ["-Xlinker", "--version-script=\(Context.packageDirectory)/Sources/CWorker/exports.map"],
          .when(configuration: .release))
      ]),
    // TLS: a library that the first socket with it loads, over OpenSSL. What it and the server say to each
    // other is CTLS.
    .target(name: "CTLS", path: "Plugins/tls/CTLS"),
    .target(
      name: "nsgi_tls", dependencies: ["CTLS"], path: "Plugins/tls/Library",
      cSettings: [.define("_GNU_SOURCE"), .unsafeFlags(["-fvisibility=hidden"])],
      // It is C alone: what Swift's runtime needs to start is left out, and so is the runtime.
      linkerSettings: [
        .unsafeFlags(
          ["-use-ld=lld", "-nostartfiles"]
            + ["--as-needed", "-z", "relro", "-z", "now"].flatMap { ["-Xlinker", $0] }),
        .linkedLibrary("ssl"), .linkedLibrary("crypto"),
      ]),
    // YAML, XML and JSON configurations: a program that the server starts for such a file alone.
    .executableTarget(
      name: "config_reader", dependencies: ["Control", "CYaml", "CExpat"],
      path: "Plugins/config_reader/Reader", linkerSettings: ownRuntime),
    // Without pkg-config, whose -L would come before that of the archives.
    .systemLibrary(name: "CYaml", path: "Plugins/config_reader/CYaml", providers: [.apt(["libyaml-dev"])]),
    .target(
      name: "CExpat", path: "Plugins/config_reader/CExpat", linkerSettings: [.linkedLibrary("expat")]),
    // Python: WSGI in embedded CPython. Not part of the server: a library that it loads for --plugin python3,
    // and which loads the shared library of the Python that serves.
    .target(name: "CPython", path: "Plugins/CPython"),
    .target(
      name: "python3", dependencies: ["CNSGI", "CPython"], path: "Plugins/python3",
      resources: [
        "bootstrap.py", "worker.py", "zygote.py", "development.py", "check.py", "keep.py", "uwsgi/module.py",
        "uwsgi/decorators.py", "uwsgi/shared.py", "uwsgi/cache.py", "uwsgi/table.py", "uwsgi/signals.py",
        "uwsgi/clock.py", "uwsgi/absent.py",
        "asgi/copies.py", "asgi/messages.py", "asgi/exchange.py", "asgi/websocket.py", "asgi/serving.py",
        "asgi/led.py",
      ].map { Resource.embedInCode($0) },
      // Its records are guarded by the interpreter's lock.
      swiftSettings: [.unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release))],
      linkerSettings: ownRuntime),
    .systemLibrary(
      name: "CFFI", path: "Plugins/ffi/CFFI", pkgConfig: "libffi", providers: [.apt(["libffi-dev"])]),
    .target(name: "FFICore", dependencies: ["CNSGI", "CFFI"], path: "Plugins/ffi/Core"),
    .target(
      name: "ffi_plugin", dependencies: ["FFICore", "CNSGI"], path: "Plugins/ffi/Entry",
      linkerSettings: ownRuntime),
    .target(name: "hello_swift", dependencies: ["NSGI"], path: "apps/hello_swift", exclude: ["README.md"]),
    .target(name: "sse", dependencies: ["NSGI"], path: "apps/sse", exclude: ["README.md"]),

    .target(name: "Support", dependencies: ["Wire", "Config", "Control"], path: "Tests/Support"),
    .target(name: "kit_swift", dependencies: ["NSGI"], path: "Tests/Fixtures/kits/swift"),
    .target(name: "table_swift", dependencies: ["CNSGI"], path: "Tests/Fixtures/table/swift"),
    .testTarget(name: "WireTests", dependencies: ["Wire", "Support"]),
    .testTarget(name: "ConfigTests", dependencies: ["Config"]),
    .testTarget(name: "MasterTests", dependencies: ["Master", "Control", "Config", "Support"]),
    .testTarget(name: "ReplayTests", dependencies: ["Replay", "Config", "Control", "CDeflate", "Support"]),
    .testTarget(name: "WatchTests", dependencies: ["Watch", "Control"]),
    .testTarget(name: "HostTests", dependencies: ["Host", "Check", "Support"]),
    .testTarget(name: "NSGITests", dependencies: ["NSGI", "CNSGI"]),
    .testTarget(name: "ConformanceTests", dependencies: ["Support"]),
    .testTarget(name: "IntegrationTests", dependencies: ["Support"]),
    .testTarget(name: "SwapTests", dependencies: ["Support"]),
    .testTarget(name: "PythonTests", dependencies: ["Support"]),
    .testTarget(name: "FFITests", dependencies: ["FFICore", "CNSGI", "CFFI", "Support"]),
    .testTarget(name: "ServerFuzzTests", dependencies: ["Support"]),
    .testTarget(name: "TidyTests"),
  ]
)
