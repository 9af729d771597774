import Config
import Control
import Glibc

/// A supervised process's end of the packet socket to its master.
struct ControlLink: Sendable {
  let fd: Int32

  /// A message, or what it means that there is none.
  enum Received {
    case message(Message, descriptor: Int32)
    case nothing
    /// The master is gone.
    case ended
  }

  /// Sends a message. The socket holds some hundred packets; a master that takes none of them is gone or
  /// stopped, and then no message matters.
  func send(_ message: Message, descriptor: Int32 = -1) {
    try? System.sendPacket(fd, message.bytes, descriptor: descriptor)
  }

  /// Sends a message that is a part of a whole, and waits for room.
  func sendPart(_ message: Message) {
    for _ in 0..<100 {
      do throws(SystemError) { return try System.sendPacket(fd, message.bytes) } catch {
        guard error.wouldBlock else { return }
        System.waitForRoom(fd, milliseconds: 100)
      }
    }
  }

  /// Receives the next message, if there is one.
  func receive() -> Received {
    do throws(SystemError) {
      let (bytes, descriptor) = try System.receivePacket(fd)
      if bytes.isEmpty { return .ended }
      guard let message = Message(bytes) else {
        if descriptor >= 0 { System.close(descriptor) }
        return .nothing
      }
      return .message(message, descriptor: descriptor)
    } catch { return error.wouldBlock || error.code == EINTR || error.code == EMSGSIZE ? .nothing : .ended }
  }
}

/// What a supervised process was told to do, and its link to the process that told it.
public struct Assignment: Sendable {
  /// The orders to carry out.
  public let orders: Orders
  let link: ControlLink

  /// Takes the orders from the descriptors where the master put them, and leaves them there in case this
  /// process becomes another program; nil in a process of another kind.
  public static func take() -> Assignment? {
    guard let bytes = try? System.contents(HandedDescriptor.orders), let message = Message(bytes),
      let orders = Orders(message)
    else { return nil }
    System.closeOnExec(HandedDescriptor.control)
    HeldFiles.take(orders)
    return Assignment(orders: orders, link: ControlLink(fd: HandedDescriptor.control))
  }

  /// Begins to carry out the orders in this process and this program.
  public func begin() { System.close(HandedDescriptor.orders) }

  /// The packet socket to the process that gave the orders.
  public var descriptor: Int32 { link.fd }

  /// The settings of orders whose arguments contain everything.
  public func settings(readFile: (String) throws -> String) throws -> Settings {
    let invocation = try Settings.parse(
      arguments: orders.arguments, environment: [:], standardInputIsListening: true, readFile: readFile)
    guard case .run(let settings) = invocation else {
      throw ServerFailure("the master's orders hold no configuration")
    }
    return settings
  }

  /// Reports why the process cannot do it; returns the exit code.
  public func fail(_ error: any Error) -> Int32 {
    let code = (error as? ServerFailure)?.exitCode ?? (error as? ConfigError)?.exitCode ?? 1
    fail("\(error)", code: code)
    return code
  }

  /// Reports why the process cannot do it, and with which code it ends.
  public func fail(_ reason: String, code: Int32) {
    link.send(Message(.failed, [Message.reason(reason), .init("code", "\(code)")]))
  }

  /// Reports that a zygote has nothing to preload.
  public func isIdle() { link.send(Message(.idle)) }

  /// Answers with the options in effect, in as many messages as it takes.
  public func configured(_ options: [String], files: [HandedFile] = []) {
    for piece in files.flatMap(\.pieces) { link.sendPart(Message(.configured, piece)) }
    var message = Message(.configured)
    for option in options {
      let longer = Message(.configured, message.fields + [.init("option", option)])
      guard longer.bytes.count > Message.packetBytes else {
        message = longer
        continue
      }
      if !message.fields.isEmpty { link.sendPart(message) }
      message = Message(.configured, [.init("option", option)])
      if message.bytes.count > Message.packetBytes {
        return fail("an option of \(option.utf8.count) bytes is too long; shorten it", code: 1)
      }
    }
    link.sendPart(message)
  }
}
