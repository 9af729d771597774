import Config
import Glibc
import Master

/// What configuration files may ask of this machine.
extension Surroundings {
  static let ofThisMachine: Surroundings = {
    var machine = Surroundings()
    machine.hostName = {
      var name = [CChar](repeating: 0, count: 256)
      gethostname(&name, name.count - 1)
      return String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
    machine.processors = { Master.processors }
    machine.microseconds = {
      var time = timeval()
      gettimeofday(&time, nil)
      return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_usec)
    }
    machine.inode = FileSystem.inode
    machine.identity = {
      let (user, group) = (getuid(), getgid())
      let userName = getpwuid(user).map { String(cString: $0.pointee.pw_name) } ?? "\(user)"
      let groupName = getgrgid(group).map { String(cString: $0.pointee.gr_name) } ?? "\(group)"
      return ((user, userName), (group, groupName))
    }
    machine.isDirectory = { FileSystem.isDirectory($0) }
    machine.isPipe = FileSystem.isPipe
    machine.glob = FileSystem.glob
    machine.convert = Converter.convert
    return machine
  }()
}
