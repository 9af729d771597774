import Posix

/// A system call's failure, one type in every process.
public typealias SystemError = Posix.SystemError
