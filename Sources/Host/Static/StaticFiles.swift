import CLinux
import Config
import Glibc
import Wire

/// The files that the server serves itself: from the path of a request to an open file. Belongs to the
/// leader.
final class StaticFiles {
  /// What a path names.
  enum Found {
    /// Nothing that is served: the request goes to the app.
    case nothing
    case file(ServedFile)
    /// A directory with an index, named without its slash.
    case directory
    /// No descriptor is left to open it.
    case unavailable
  }

  let settings: StaticSettings
  private let limits: Limits
  private let types: MediaTypes
  private let roots: [(prefix: [UInt8], directory: [UInt8], kind: StaticRoot.Kind)]
  private var cache: FileCache
  /// Files may hold one in this many descriptors: connections need them more.
  private static let shareOfDescriptors = 32
  /// The path that is being looked up, followed by a NUL.
  private var path = ByteBuffer()
  /// The file that was found for the exchange of that id, between its head and its end.
  private var pending: (id: UInt64, found: Found)?

  init(_ settings: StaticSettings, _ limits: Limits) {
    (self.settings, self.limits) = (settings, limits)
    var types = MediaTypes()
    for file in settings.typeFiles {
      if let text = System.text(of: file, most: limits.typeFileBytes) { types.add(file: text) }
    }
    self.types = types
    // The checked directories come first, as in uWSGI.
    let checked = settings.roots.filter { $0.kind == .check }
    let ordered = checked + settings.roots.filter { $0.kind != .check }
    roots = ordered.map { (Array($0.prefix.utf8), Array($0.directory.utf8), $0.kind) }
    cache = FileCache(
      room: limits.fileCacheBytes,
      mostOpen: min(limits.openFiles, System.descriptorLimit / Self.shareOfDescriptors),
      trustSeconds: settings.cacheSeconds)
  }

  /// The files of media types can be read; what is not there yet, and may come, is said.
  static func check(_ settings: Settings) throws(ServerFailure) {
    for file in settings.files.typeFiles
    where System.text(of: file, most: settings.limits.typeFileBytes) == nil {
      throw ServerFailure("the media types in \(file) cannot be read; correct --mimefile")
    }
    // A CGI program would say it again for each request.
    guard !settings.isCGI else { return }
    for root in settings.files.roots where System.fileVersion(root.directory) == nil {
      let option =
        switch root.kind {
        case .map: "static-map"
        case .wholePath: "static-map2"
        case .check: "check-static"
        }
      Server.announce(
        "\(root.directory) of --\(option) is not there for the workers' user: until it is, applications are "
          + "asked for its files")
    }
  }

  // MARK: From the head of a request to its end

  /// Keeps the file that was found until the request is complete.
  func keep(_ found: Found, for id: UInt64) { pending = (id, found) }

  /// The file that was kept for a request; nil if another one came between.
  func takeKept(for id: UInt64) -> Found? {
    guard let kept = pending, kept.id == id else { return nil }
    pending = nil
    return kept.found
  }

  // MARK: Looking

  /// Looks for a decoded path from the root of the host.
  ///
  /// - Parameter isRead: the method is GET or HEAD.
  func find(
    _ wanted: UnsafeRawBufferPointer, isRead: Bool, _ request: FileRequest, at moment: FileMoment
  ) -> Found {
    guard FilePath.isPlain(wanted) else { return .nothing }
    for root in roots where isRead || root.kind != .check {
      guard var rest = FilePath.rest(wanted, below: root.prefix), !FilePath.hasHiddenName(rest) else {
        continue
      }
      // A root that is a file has no slash behind it: the kernel, which would say so, is not given one.
      let mayBeFile = !rest.isEmpty || wanted.count <= max(1, root.prefix.count)
      if root.kind != .map { rest = UnsafeRawBufferPointer(rebasing: wanted.drop { $0 == 0x2f }) }
      if settings.skippedEndings.contains(where: { ends(rest, in: $0) }) { continue }
      path.removeAll()
      root.directory.withUnsafeBytes { path.append($0) }
      let start = root.directory.count
      if !rest.isEmpty {
        path.append(0x2f)
        path.append(rest)
      }
      let found = look(
        root.directory, start, isDirectory: wanted.isEmpty || wanted.last == 0x2f, mayBeFile: mayBeFile,
        request, moment)
      if case .nothing = found { continue }
      return found
    }
    return .nothing
  }

  /// Looks for a decoded path below one directory, which may be a file if there is no such directory.
  func find(
    below directory: [UInt8], _ wanted: UnsafeRawBufferPointer, _ request: FileRequest, at moment: FileMoment
  ) -> Found {
    guard FilePath.isPlain(wanted), !FilePath.hasHiddenName(wanted) else { return .nothing }
    let rest = UnsafeRawBufferPointer(rebasing: wanted.drop { $0 == 0x2f })
    path.removeAll()
    directory.withUnsafeBytes { path.append($0) }
    if !rest.isEmpty {
      path.append(0x2f)
      path.append(rest)
    }
    return look(directory, directory.count, isDirectory: true, mayBeFile: true, request, moment)
  }

  private func look(
    _ directory: [UInt8], _ start: Int, isDirectory: Bool, mayBeFile: Bool, _ request: FileRequest,
    _ moment: FileMoment
  ) -> Found {
    switch open(directory, start, request, moment) {
    case .file where !mayBeFile: return .nothing
    case .directory:
      let end = path.count
      for index in settings.indexes {
        path.truncate(to: end)
        if path.bytes.last != 0x2f { path.append(0x2f) }
        path.append(string: index)
        let found = open(directory, start, request, moment)
        switch found {
        case .nothing, .directory: continue
        case .unavailable: return found
        case .file: return isDirectory ? found : .directory
        }
      }
      return .nothing
    case let found: return found
    }
  }

  /// The file of `path` in the coding that the client likes best, or as it is.
  private func open(
    _ directory: [UInt8], _ start: Int, _ request: FileRequest, _ moment: FileMoment
  ) -> Found {
    guard mayBeCoded else { return version(directory, start, nil, varies: false, moment) }
    let count = path.count
    for coding in ContentCoding.accepted(request.acceptEncoding) {
      path.append(coding.ending)
      let found = version(directory, start, coding, varies: true, moment)
      path.truncate(to: count)
      if case .file = found { return found }
    }
    return version(directory, start, nil, varies: true, moment)
  }

  private var mayBeCoded: Bool {
    settings.coded.contains { files in
      switch files {
      case .all: true
      case .below(let directory): FilePath.rest(path.bytes, below: directory) != nil
      case .ending(let ending): ends(path.bytes, in: ending)
      case .matching(let pattern): pattern.matches(path.bytes)
      }
    }
  }

  /// The file at `path` as it is, from memory or opened.
  private func version(
    _ directory: [UInt8], _ start: Int, _ coding: ContentCoding?, varies: Bool, _ moment: FileMoment
  ) -> Found {
    let count = path.count
    path.append(0)
    defer { path.truncate(to: count) }
    let name = UnsafeRawBufferPointer(rebasing: path.bytes[..<count])
    if let file = cache.find(name, coding, at: moment) { return .file(file) }
    guard let opened = descriptor(directory, start) ?? descriptorOfAnother(directory, start) else {
      return errno == EMFILE || errno == ENFILE ? .unavailable : .nothing
    }
    guard let version = System.fileVersion(opened), version.kind == .regular else {
      let isDirectory = System.fileVersion(opened)?.kind == .directory
      System.close(opened)
      return isDirectory ? .directory : .nothing
    }
    if version.occupiesNothing, System.isKernels(opened) {
      System.close(opened)
      return .nothing
    }
    let plain = name.dropLast(coding?.ending.utf8CodeUnitCount ?? 0)
    let file = ServedFile(
      name, opened, version, type: types.type(of: String(decoding: plain, as: UTF8.self)), coding: coding,
      varies: varies)
    // A second write within one tick of the clock would not show: a file changed so recently is not kept.
    let isSettled = version.modified < clinux_realtime_s() - 2
    if isSettled, version.size > limits.cachedFileBytes || file.load() { cache.add(file, at: moment) }
    return .file(file)
  }

  /// The same in place of a file that is held open, if it failed for want of a descriptor.
  private func descriptorOfAnother(_ directory: [UInt8], _ start: Int) -> Int32? {
    guard errno == EMFILE || errno == ENFILE, holdsFiles else { return nil }
    closeFiles()
    return descriptor(directory, start)
  }

  /// Holds some files open for the next request.
  var holdsFiles: Bool { cache.openCount > 0 }
  /// Closes those that nobody has asked for lately.
  func closeIdleFiles(now: UInt64) { cache.close(now: now) }
  /// Descriptors are needed: closes all that are held open.
  func closeFiles() { cache.close(all: true) }

  /// Opens `path`, whose first `start` bytes are the operator's directory: a file below it, also by links, or
  /// one that links lead to in a `--static-safe` directory.
  private func descriptor(_ directory: [UInt8], _ start: Int) -> Int32? {
    let whole = path.bytes.baseAddress!.assumingMemoryBound(to: CChar.self)
    // The operator has named the file itself; the NUL counts.
    if path.count == start + 1 { return System.openAnywhere(whole) { _ in true } }
    var rest = start
    while path.bytes[rest] == 0x2f { rest += 1 }
    guard let root = try? System.openDirectory(String(decoding: directory, as: UTF8.self)) else { return nil }
    defer { System.close(root) }
    let file = System.openBeneath(root, whole + rest)
    if file >= 0 { return file }
    // A link leads outside, or is written as a path from the root of the system; or the kernel is an old one.
    guard [EXDEV, ENOSYS, EPERM, EAGAIN].contains(errno), let real = System.realPath(root) else { return nil }
    return System.openAnywhere(whole) { place in isBelow(real, place) || isSafe(place) }
  }

  private func isSafe(_ place: [UInt8]) -> Bool {
    settings.safeDirectories.contains { directory in
      guard let safe = try? System.openDirectory(directory) else { return false }
      defer { System.close(safe) }
      guard let real = System.realPath(safe) else { return false }
      return isBelow(real, place)
    }
  }

  private func isBelow(_ directory: [UInt8], _ place: [UInt8]) -> Bool {
    if directory == [0x2f] { return true }
    return place.count > directory.count && place.starts(with: directory) && place[directory.count] == 0x2f
  }

  private func ends(_ name: UnsafeRawBufferPointer, in ending: String) -> Bool {
    name.count >= ending.utf8.count && name.suffix(ending.utf8.count).elementsEqual(ending.utf8)
  }
}
