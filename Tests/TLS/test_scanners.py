"""Scanners and a client of another library against a socket with TLS as it is by default: testssl.sh, sslyze
and gnutls-cli. `make test-tls`, which installs them; minutes, so it is not in CI."""
import json
import pathlib
import re
import signal
import subprocess
import tempfile
import time
import unittest

PROJECT = pathlib.Path(__file__).resolve().parents[2]
SERVER = PROJECT / ".build/release/server"
APP = PROJECT / ".build/apps/hello_world_app.so"
SSLYZE = PROJECT / ".build/sslyze/bin/sslyze"
HOST = "a.test"
# What Mozilla asks for with its intermediate list.
HSTS = "63072000"

SEVERE = {"MEDIUM", "HIGH", "CRITICAL", "FATAL"}


def openssl(folder: pathlib.Path, *words: str) -> None:
  done = subprocess.run(["openssl", *words], cwd=folder, text=True, stdin=subprocess.DEVNULL,
                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
  if done.returncode: raise AssertionError(f"openssl {words}: {done.stdout}")


def make_certificate(folder: pathlib.Path) -> None:
  """An authority (ca.pem), and a certificate of it as public ones are (a.pem, a.key)."""
  key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
  openssl(folder, "req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "400",
          "-subj", "/O=Test/CN=Test Authority", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
  openssl(folder, "req", "-new", *key, "-keyout", "a.key", "-out", "a.csr", "-subj", f"/CN={HOST}")
  (folder / "a.ext").write_text(
    f"subjectAltName=DNS:{HOST}\nbasicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"
    "extendedKeyUsage=serverAuth\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
    f"crlDistributionPoints=URI:http://crl.{HOST}/ca.crl\n")
  openssl(folder, "x509", "-req", "-in", "a.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
          "-sha256", "-days", "90", "-extfile", "a.ext", "-out", "a.pem")


class ScannerTests(unittest.TestCase):
  @classmethod
  def setUpClass(cls):
    cls.folder = tempfile.TemporaryDirectory(prefix="scanners-")
    cls.addClassCleanup(cls.folder.cleanup)
    place = pathlib.Path(cls.folder.name)
    make_certificate(place)
    cls.authority = str(place / "ca.pem")
    cls.log = place / "log"
    with open(cls.log, "w") as log:
      cls.server = subprocess.Popen(
        [SERVER, "--app", APP, "--no-master", "--hsts", HSTS,
         # Which such fields it has is the operator's affair; none is a finding.
         "--add-header", "X-Content-Type-Options: nosniff",
         "--https-socket", f"127.0.0.1:0,{place}/a.pem,{place}/a.key"], stderr=log, stdout=log)
    cls.addClassCleanup(cls.stop)
    cls.port = cls.wait(r"https socket 127\.0\.0\.1:(\d+) ready")

  @classmethod
  def wait(cls, pattern: str) -> str:
    """The first group of a line of the log, once it is there."""
    end = time.monotonic() + 60
    while time.monotonic() < end and cls.server.poll() is None:
      if found := re.search(pattern, cls.log.read_text()): return found[1]
      time.sleep(0.02)
    raise AssertionError(f"no {pattern} in:\n{cls.log.read_text()}")

  @classmethod
  def stop(cls):
    cls.server.send_signal(signal.SIGTERM)
    status = cls.server.wait(60)
    assert status == 0, f"the server ended with {status}:\n{cls.log.read_text()}"

  def run_program(self, *words: str, seconds: int = 1200) -> tuple[int, str]:
    done = subprocess.run(words, text=True, errors="replace", stdin=subprocess.DEVNULL, cwd=self.folder.name,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds)
    return done.returncode, done.stdout

  def test_testssl_finds_nothing_above_low(self):
    report = pathlib.Path(self.folder.name, "testssl.json")
    status, output = self.run_program(
      "testssl", "--quiet", "--color", "0", "--warnings", "off", "--nodns", "none", "--ip", "127.0.0.1",
      "--add-ca", self.authority, "--jsonfile", str(report), f"{HOST}:{self.port}")
    self.assertTrue(report.exists(), f"ended with {status}:\n{output}")
    findings = json.loads(report.read_text())
    names = {one["id"] for one in findings}
    # A scan that has seen nothing finds nothing.
    self.assertGreater(len(findings), 50, output)
    self.assertTrue({"TLS1_2", "TLS1_3", "heartbleed", "ALPN"} <= names, f"{sorted(names)}")
    for one in findings:
      if one["severity"] == "WARN": print(f"not tested: {one['id']}: {one['finding']}")
    severe = [f"{one['severity']} {one['id']}: {one['finding']}" for one in findings
              if one["severity"] in SEVERE]
    self.assertEqual(severe, [], output)

  def test_sslyze_finds_mozillas_intermediate_configuration(self):
    status, output = self.run_program(
      str(SSLYZE), "--mozilla_config=intermediate", f"--certinfo_ca_file={self.authority}",
      f"{HOST}:{self.port}{{127.0.0.1}}")
    self.assertEqual(status, 0, output)
    # It ends with 0 too if it has reached nobody.
    self.assertIn("OK - Compliant", output)

  def gnutls(self, priority: str, *words: str) -> tuple[int, str]:
    return self.run_program(
      "gnutls-cli", f"--x509cafile={self.authority}", f"--sni-hostname={HOST}", f"--verify-hostname={HOST}",
      f"--priority={priority}", f"--port={self.port}", *words, "127.0.0.1", seconds=60)

  def test_gnutls_speaks_both_versions_and_protocols(self):
    for version in ("1.2", "1.3"):
      for protocol in ("h2", "http/1.1"):
        status, output = self.gnutls(f"NORMAL:-VERS-ALL:+VERS-TLS{version}", f"--alpn={protocol}")
        with self.subTest(version=version, protocol=protocol):
          self.assertEqual(status, 0, output)
          self.assertRegex(output, rf"Description: \(TLS{version}")
          self.assertRegex(output, rf"Application protocol: {protocol}")

  def test_gnutls_finds_no_older_version(self):
    for version in ("1.0", "1.1"):
      status, output = self.gnutls(f"NORMAL:-VERS-ALL:+VERS-TLS{version}:%COMPAT")
      with self.subTest(version=version):
        self.assertNotEqual(status, 0, output)

  def test_gnutls_resumes_sessions(self):
    status, output = self.gnutls("NORMAL:-VERS-ALL:+VERS-TLS1.2", "--resume")
    self.assertEqual(status, 0, output)
    self.assertIn("This is a resumed session", output)


if __name__ == "__main__":
  unittest.main()
