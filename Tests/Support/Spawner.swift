// Starts programs from one thread that lives as long as the tests: Linux ends a child with its "parent
// death signal" when the thread that started it ends, not when the process does.
import Foundation
import Synchronization

/// What is to be started.
struct Spawn: Sendable {
  var words: [String]
  var environment: [String]
  var input: ChildProcess.Input
  var descriptors: [Int32]
  var output: String

  /// posix_spawn(3) with everything set: group, descriptors, default signals, empty mask.
  func start() throws(SupportError) -> pid_t {
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var signals = sigset_t()
    sigfillset(&signals)
    posix_spawnattr_setsigdefault(&attributes, &signals)
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    posix_spawnattr_setpgroup(&attributes, 0)
    let flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF
    posix_spawnattr_setflags(&attributes, Int16(flags))

    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    switch input {
    case .nothing: posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    case .descriptor(let descriptor): posix_spawn_file_actions_adddup2(&actions, descriptor, 0)
    }
    posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_APPEND, 0o644)
    posix_spawn_file_actions_adddup2(&actions, 1, 2)
    // Twice, so that no descriptor is overwritten before it was copied.
    let parking: Int32 = 200
    for (index, descriptor) in descriptors.enumerated() {
      posix_spawn_file_actions_adddup2(&actions, descriptor, parking + Int32(index))
    }
    for index in descriptors.indices {
      posix_spawn_file_actions_adddup2(&actions, parking + Int32(index), 3 + Int32(index))
    }
    for index in descriptors.indices { posix_spawn_file_actions_addclose(&actions, parking + Int32(index)) }

    var argv = words.map { strdup($0) } + [nil]
    var envp = environment.map { strdup($0) } + [nil]
    defer { for pointer in argv + envp { free(pointer) } }
    var pid: pid_t = 0
    let code = posix_spawn(&pid, words[0], &actions, &attributes, &argv, &envp)
    guard code == 0 else { throw .system(call: "posix_spawn \(words[0])", errno: code) }
    return pid
  }
}

/// The thread that starts programs.
final class Spawner: Sendable {
  static let shared = Spawner()

  private let jobs = Mutex<[@Sendable () -> Void]>([])
  private let waiting = DispatchSemaphore(value: 0)

  private init() {
    Thread.detachNewThread { [self] in
      while true {
        waiting.wait()
        let job = jobs.withLock { $0.removeFirst() }
        job()
      }
    }
  }

  /// Starts a program on the thread and returns its process id.
  func start(_ spawn: Spawn) throws(SupportError) -> pid_t {
    let answer = Answer()
    jobs.withLock {
      $0.append {
        do throws(SupportError) {
          answer.give(.success(try spawn.start()))
        } catch {
          answer.give(.failure(error))
        }
      }
    }
    waiting.signal()
    return try answer.take().get()
  }

  /// One result on its way from the thread to who asked.
  private final class Answer: Sendable {
    private let result = Mutex<Result<pid_t, SupportError>?>(nil)
    private let given = DispatchSemaphore(value: 0)

    func give(_ value: Result<pid_t, SupportError>) {
      result.withLock { $0 = value }
      given.signal()
    }

    func take() -> Result<pid_t, SupportError> {
      given.wait()
      return result.withLock { $0 } ?? .failure(.system(call: "posix_spawn", errno: ECANCELED))
    }
  }
}
