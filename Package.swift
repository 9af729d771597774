// swift-tools-version: 6.2
// Three rings; the dependencies below are the only imports allowed (docs/ARCHITECTURE.md, "Layout").
// TidyTests reads the sources and fails on an import that is not stated here.
import PackageDescription

let package = Package(
  name: "nsgi-server",
  products: [
    .executable(name: "server", targets: ["server"]),
    .library(name: "NSGI", targets: ["NSGI"]),
    .library(name: "hello_swift", type: .dynamic, targets: ["hello_swift"]),
    .library(name: "sse", type: .dynamic, targets: ["sse"]),
    .library(name: "python3_plugin", type: .dynamic, targets: ["python3"]),
    .library(name: "kit_swift", type: .dynamic, targets: ["kit_swift"]),
    .library(name: "table_swift", type: .dynamic, targets: ["table_swift"]),
    .library(name: "ffi_plugin", type: .dynamic, targets: ["ffi_plugin"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-log", from: "1.6.0"),
  ],
  targets: [
    .target(name: "CNSGI"),
    .target(name: "CLinux"),
    .target(name: "Wire"),
    .target(name: "Config"),
    .target(name: "Control"),
    .target(
      name: "Host",
      dependencies: [
        "Wire", "Config", "Control", "CNSGI", "CLinux",
        .product(name: "Logging", package: "swift-log"),
      ],
      // One thread at a time owns the worker, by its leadership; the run-time checks of exclusive access guard
      // nothing there.
      swiftSettings: [.unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release))]),
    .target(name: "NSGI", dependencies: ["CNSGI"]),
    .target(name: "Master", dependencies: ["Config", "Control", "CLinux"]),
    .executableTarget(name: "server", dependencies: ["Host", "Master", "Config", "Control"]),
    // Python: WSGI in embedded CPython. Not part of the server: a library that it loads for --plugin python3.
    .systemLibrary(
      name: "CPython", path: "Plugins/CPython", pkgConfig: "python3-embed", providers: [.apt(["python3-dev"])]),
    .target(
      name: "python3", dependencies: ["CNSGI", "CPython"], path: "Plugins/python3",
      // Its records are guarded by the interpreter's lock.
      swiftSettings: [.unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release))]),
    .systemLibrary(
      name: "CFFI", path: "Plugins/ffi/CFFI", pkgConfig: "libffi", providers: [.apt(["libffi-dev"])]),
    .target(name: "FFICore", dependencies: ["CNSGI", "CFFI"], path: "Plugins/ffi/Core"),
    .target(name: "ffi_plugin", dependencies: ["FFICore", "CNSGI"], path: "Plugins/ffi/Entry"),
    .target(name: "hello_swift", dependencies: ["NSGI"], path: "apps/hello_swift", exclude: ["README.md"]),
    .target(name: "sse", dependencies: ["NSGI"], path: "apps/sse", exclude: ["README.md"]),

    .target(name: "Support", dependencies: ["Wire", "Config", "Control"], path: "Tests/Support"),
    .target(name: "kit_swift", dependencies: ["NSGI"], path: "Tests/Fixtures/kits/swift"),
    .target(name: "table_swift", dependencies: ["CNSGI"], path: "Tests/Fixtures/table/swift"),
    .testTarget(name: "WireTests", dependencies: ["Wire", "Support"]),
    .testTarget(name: "ConfigTests", dependencies: ["Config"]),
    .testTarget(name: "MasterTests", dependencies: ["Master", "Control", "Config", "Support"]),
    .testTarget(name: "HostTests", dependencies: ["Host", "Support"]),
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
