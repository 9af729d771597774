// swift-tools-version: 6.2
import PackageDescription

let package = Package(
  name: "my_app",
  products: [.library(name: "my_app", type: .dynamic, targets: ["my_app"])],
  dependencies: [.package(path: "nsgi")],
  targets: [.target(name: "my_app", dependencies: [.product(name: "NSGI", package: "nsgi")])]
)
