// What an authority says later of the certificates that it has signed: which of them are revoked, and that
// one is good.
import Foundation

extension Certificates {
  /// Writes a list of revoked certificates into FILE, by `openssl ca -gencrl`.
  ///
  /// - Parameters:
  ///   - revoked: names of certificates that the authority has signed.
  ///   - isOld: the time of the list is over.
  public func makeRevocations(
    _ file: String, revoking revoked: [String], authority: String = "ca", isOld: Bool = false
  ) throws {
    let place = folder.file("\(authority)-\(UUID().uuidString)")
    try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
    try "".write(toFile: place + "/index", atomically: true, encoding: .utf8)
    try """
    [ca]
    default_ca = here
    [here]
    database = \(place)/index
    default_md = sha256
    """.write(toFile: place + "/conf", atomically: true, encoding: .utf8)
    let common = [
      "ca", "-config", place + "/conf", "-cert", folder.file("\(authority).pem"), "-keyfile",
      folder.file("\(authority).key"),
    ]
    for name in revoked { _ = try run(common + ["-revoke", folder.file("\(name).pem")]) }
    let times =
      isOld
      ? ["-crl_lastupdate", "20250101000000Z", "-crl_nextupdate", "20250102000000Z"] : ["-crlhours", "3"]
    _ = try run(common + ["-gencrl", "-out", folder.file(file)] + times)
  }

  /// Writes what the authority says of a certificate into FILE, by `openssl ocsp -respout`.
  ///
  /// - Parameters:
  ///   - signer: the name of the files of who signs it.
  ///   - isOld: its time is over; then no signature of it is right, as openssl(1) makes none of the past.
  public func makeResponse(
    _ file: String, of name: String, isRevoked: Bool = false, signer: String = "ca", isOld: Bool = false
  ) throws {
    let pem = folder.file("\(name).pem")
    let serial = try run(["x509", "-in", pem, "-noout", "-serial"]).dropFirst("serial=".count)
    let index = folder.file("\(file).index")
    let state = isRevoked ? "R\t491231235959Z\t250101000000Z" : "V\t491231235959Z\t"
    try "\(state)\t\(serial.trimmingCharacters(in: .whitespacesAndNewlines))\tunknown\t/CN=test\n".write(
      toFile: index, atomically: true, encoding: .utf8)
    _ = try run([
      "ocsp", "-index", index, "-rsigner", folder.file("\(signer).pem"), "-rkey",
      folder.file("\(signer).key"), "-CA", authority, "-issuer", authority, "-cert", pem, "-nmin",
      "60", "-respout", folder.file(file),
    ])
    guard isOld else { return }
    let place = URL(fileURLWithPath: folder.file(file))
    var bytes = Array(try Data(contentsOf: place))
    // A time is GeneralizedTime, of fifteen letters that begin with the year (RFC 6960 §4.2.1).
    for start in bytes.indices.dropLast(17) where bytes[start] == 0x18 && bytes[start + 1] == 0x0f {
      bytes.replaceSubrange(start + 2..<start + 6, with: "2020".utf8)
    }
    try Data(bytes).write(to: place)
  }

  /// Makes NAME.pem from the request for another certificate: for the same key and hosts, valid from the year
  /// 2040 on.
  public func makeLater(_ name: String, of other: String) throws {
    let place = folder.file("later-\(UUID().uuidString)")
    try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
    try "".write(toFile: place + "/index", atomically: true, encoding: .utf8)
    try """
    [ca]
    default_ca = here
    [here]
    database = \(place)/index
    new_certs_dir = \(place)
    rand_serial = yes
    default_md = sha256
    policy = any
    [any]
    commonName = supplied
    """.write(toFile: place + "/conf", atomically: true, encoding: .utf8)
    _ = try run([
      "ca", "-batch", "-notext", "-config", place + "/conf", "-cert", authority, "-keyfile",
      folder.file("ca.key"), "-extfile", folder.file("\(other).ext"), "-startdate", "20400101000000Z",
      "-enddate", "20410101000000Z", "-in", folder.file("\(other).csr"), "-out", folder.file("\(name).pem"),
    ])
  }

  /// Puts the authority behind a certificate in its file, as chains are written.
  public func addAuthority(to name: String, authority: String = "ca") throws {
    let pem = folder.file("\(name).pem")
    let both = try [pem, folder.file("\(authority).pem")].map {
      try String(contentsOfFile: $0, encoding: .utf8)
    }
    try both.joined().write(toFile: pem, atomically: true, encoding: .utf8)
  }

  /// Puts a file of the folder in another one's place, as a careful program does: written beside it, moved.
  public func put(_ from: String, at to: String) throws {
    try? FileManager.default.removeItem(atPath: folder.file(to + ".new"))
    try FileManager.default.copyItem(atPath: folder.file(from), toPath: folder.file(to + ".new"))
    guard rename(folder.file(to + ".new"), folder.file(to)) == 0 else {
      throw SupportError.system(call: "rename", errno: errno)
    }
  }

  /// What openssl(1) sees of a server in one connection, with further words, and of a request there.
  public func connect(_ address: Address, name: String = "a.test", _ words: [String] = []) throws -> String {
    let command =
      "printf 'GET /?id=0 HTTP/1.1\\r\\nHost: \(name)\\r\\nConnection: close\\r\\n\\r\\n' | "
      + "openssl s_client -connect \(address) -servername \(name) -CAfile \(authority) "
      + "-alpn http/1.1 -ign_eof " + words.joined(separator: " ")
    return try ChildProcess.run("/bin/sh", ["-c", command]).output
  }

  /// The number of the certificate in NAME.pem, as `serial=…`.
  public func serial(_ name: String) throws -> String {
    try run(["x509", "-in", folder.file("\(name).pem"), "-noout", "-serial"])
  }

  /// The number of the certificate that a server presents.
  public func presented(_ address: Address, name: String = "a.test") throws -> String {
    try ChildProcess.run(
      "/bin/sh",
      [
        "-c",
        "openssl s_client -connect \(address) -servername \(name) </dev/null 2>/dev/null | "
          + "openssl x509 -noout -serial",
      ]
    ).output
  }
}
