// The arrows of docs/ARCHITECTURE.md, "Layout": what each ring may import, and nothing else.
import Foundation
import Testing

@Suite struct ImportTests {
  /// Module -> what it may import. A module that is not here may not be imported from anywhere.
  static let arrows: [String: Set<String>] = [
    "Wire": [],
    "Config": ["Control", "Glibc", "ArgumentParser"],
    "Control": ["Synchronization"],
    "Posix": ["Control", "CLinux", "Glibc", "Synchronization"],
    "Host": [
      "Wire", "Config", "Control", "Posix", "CNSGI", "CLinux", "CDeflate", "CTLS", "Glibc",
      "Synchronization", "Logging",
    ],
    "Check": ["Host", "Wire", "Config", "Control", "Posix", "CNSGI", "CLinux", "Glibc", "Synchronization"],
    "Replay": ["Host", "Config", "Control", "Posix", "CLinux", "CDeflate", "Glibc"],
    "Master": ["Config", "Control", "Posix", "CLinux", "Glibc", "Synchronization"],
    "NSGI": ["CNSGI", "Synchronization"],
    "Watch": ["Config", "Control", "CLinux", "Glibc", "Synchronization"],
    "WorkerLibrary": ["Host", "CWorker"],
    "server": ["Host", "Check", "Replay", "Master", "Watch", "Config", "Control", "Posix", "Glibc"],
    "config_reader": ["Control", "CYaml", "CExpat", "Glibc"],
    "python3": ["CNSGI", "CPython", "Glibc", "Synchronization"],
    "ffi": ["CNSGI", "CFFI", "FFICore", "Glibc", "Synchronization"],
  ]

  /// The modules that a line imports: `import A`, `@testable import A`, `public import struct A.B`.
  static func imported(_ line: String) -> String? {
    let words = line.split(separator: " ").drop { $0.hasPrefix("@") || $0 == "public" || $0 == "internal" }
    guard words.first == "import", words.count > 1 else { return nil }
    let kinds: Set<Substring> = ["struct", "class", "enum", "protocol", "func", "var", "let", "typealias"]
    let name = kinds.contains(words[words.startIndex + 1]) ? words.last : words.dropFirst().first
    return name.map { String($0.split(separator: ".")[0]) }
  }

  @Test("no module imports more than its arrows allow")
  func arrowsHold() {
    #expect(!SourceFile.sources.isEmpty)
    for file in SourceFile.sources {
      let allowed = Self.arrows[file.module] ?? []
      for (number, line) in file.code.enumerated() {
        guard let module = Self.imported(line), !allowed.contains(module) else { continue }
        let list = allowed.isEmpty ? "nothing" : allowed.sorted().joined(separator: ", ")
        Issue.record("\(file.finding(number, "\(file.module) imports \(module); use only \(list)"))")
      }
    }
  }

  @Test("apps know the server through nsgi.h or its Swift comfort only")
  func appsKnowTheInterfaceOnly() {
    let allowed: Set<String> = ["NSGI", "CNSGI", "Glibc", "Foundation", "Synchronization"]
    for file in SourceFile.all(in: ["apps"], suffixes: [".swift"]) {
      for (number, line) in file.code.enumerated() {
        guard let module = Self.imported(line), !allowed.contains(module) else { continue }
        Issue.record("\(file.finding(number, "an app imports \(module); use NSGI"))")
      }
    }
    for file in SourceFile.all(in: ["apps"], suffixes: [".c", ".h", ".cpp"]) {
      for (number, line) in file.lines.enumerated() where line.hasPrefix("#include \"") {
        guard line.contains("..") else { continue }
        Issue.record("\(file.finding(number, "an app includes a file of the server; use <nsgi.h>"))")
      }
    }
  }

  @Test("Package.swift states the same arrows")
  func packageStatesTheArrows() throws {
    let package = try String(contentsOfFile: "\(SourceFile.root)/Package.swift", encoding: .utf8)
    for module in ["Wire", "CNSGI", "CLinux"] {
      let stated = package.contains(".target(name: \"\(module)\")")
      #expect(stated, "Package.swift: \(module) has no dependencies; use none")
    }
  }

  /// Calls into the kernel that are no methods' names.
  static let systemCalls: Set<String> = [
    "accept4", "bind", "chdir", "chmod", "chown", "connect", "dlclose", "dlopen", "dlsym", "epoll_create1",
    "epoll_ctl", "epoll_wait", "eventfd", "execve", "fchmod", "fchown", "fcntl", "fork", "fstat",
    "ftruncate", "getaddrinfo", "getpeername", "getsockname", "getsockopt", "ioctl", "kill", "lseek",
    "lstat", "memfd_create", "mkdir", "mkstemp", "mmap", "mprotect", "munmap", "openat", "pipe2",
    "posix_spawn", "pread", "pwrite", "readv", "recv", "recvfrom", "recvmsg", "rename", "rmdir", "sendfile",
    "sendmsg", "setgid", "setsockopt", "setuid", "sigaction", "signalfd", "splice", "stat",
    "timerfd_create", "umask", "unlink", "waitpid", "writev",
  ]

  @Test("system calls stand in the System files, behind names and errors of our own")
  func systemCallsInOnePlace() throws {
    let call = try NSRegularExpression(pattern: "(?<![.A-Za-z0-9_`])(Glibc\\.)?([a-z_0-9]+)\\(")
    for file in SourceFile.sources where !file.name.hasSuffix("System.swift") {
      for (number, line) in file.code.enumerated() where !line.contains("func ") {
        let text = line as NSString
        for match in call.matches(in: line, range: NSRange(location: 0, length: text.length)) {
          let name = text.substring(with: match.range(at: 2))
          guard Self.systemCalls.contains(name) || match.range(at: 1).length > 0,
            !file.lines.contains(where: { $0.contains("func \(name)(") })
          else { continue }
          Issue.record("\(file.finding(number, "calls \(name)(2) directly; use the module's System.swift"))")
        }
      }
    }
  }
}
