// swift-tools-version: 6.2
// The kit of nsgi-server for applications in Swift, as it was when this application was made.
import PackageDescription

let package = Package(
  name: "nsgi",
  products: [.library(name: "NSGI", targets: ["NSGI"])],
  targets: [.target(name: "CNSGI"), .target(name: "NSGI", dependencies: ["CNSGI"])]
)
