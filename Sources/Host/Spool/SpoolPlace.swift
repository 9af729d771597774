import Config
import Control

/// Finds the place where a serving process spools to, before it serves.
extension SpoolRoom {
  /// A room that is not checked yet: for a process that may end before it spools.
  convenience init(_ settings: Settings) {
    let directory = settings.spoolDirectory ?? SpoolRoom.environment ?? "/tmp"
    self.init(directory: directory, most: settings.limits.spoolBytes)
  }

  private static var environment: String? {
    System.environmentValue("TMPDIR").flatMap { $0.isEmpty ? nil : $0 }
  }

  /// The configured directory must accept files; one named only by the environment is replaced by /tmp if it
  /// does not.
  ///
  /// - Parameter share: the worker's number in the page that it shares with the other workers of its master.
  static func prepare(_ settings: Settings, sharing share: Int? = nil) throws(ServerFailure) -> SpoolRoom {
    let room = SpoolRoom(
      directory: try usableDirectory(settings), most: settings.limits.spoolBytes,
      sharing: try share.map { share throws(ServerFailure) in (try sharedPage(), share) })
    return room
  }

  private static func sharedPage() throws(ServerFailure) -> SpoolShares {
    do {
      let page = try System.mapShared(HandedDescriptor.spools, SpoolShares.bytes)
      System.close(HandedDescriptor.spools)
      return SpoolShares(page)
    } catch { throw ServerFailure("what the workers spool cannot be mapped: \(error)") }
  }

  private static func usableDirectory(_ settings: Settings) throws(ServerFailure) -> String {
    if let directory = settings.spoolDirectory {
      if let error = refusal(of: directory) {
        throw ServerFailure(
          "nothing can be spooled to \(directory) (\(error.reason)); choose another --spool-dir")
      }
      return directory
    }
    if let directory = environment {
      guard let error = refusal(of: directory) else { return directory }
      Log.shared.warning("nothing can be spooled to TMPDIR (\(directory): \(error.reason)): /tmp is used")
    }
    return "/tmp"
  }

  private static func refusal(of directory: String) -> SystemError? {
    do {
      System.close(try System.unnamedFile(in: directory))
      return nil
    } catch { return error }
  }
}
