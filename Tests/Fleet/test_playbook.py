"""The playbook of docs/deploy/fleet, over three servers of this machine."""
import pathlib
import shutil
import subprocess
import tempfile
import threading
import unittest

from hosts import DEPLOY, TOOLS, Server, ask, build, playbook


class PlaybookTest(unittest.TestCase):
  def setUp(self):
    folder = tempfile.TemporaryDirectory(prefix="nsgi-fleet-")
    self.addCleanup(folder.cleanup)
    self.folder = pathlib.Path(folder.name)
    self.old = build(self.folder, "A")
    self.hosts: list[Server] = []

  def fleet(self, refuses: str = "", soak: str = "0", probation: str = "0") -> list[Server]:
    for name in ("one", "two", "three"):
      words = ["--app", "app.so", "--http-socket", "127.0.0.1:0", "-p", "2", "-L", "--ready-path", "/readyz",
               "--swap-soak", soak, "--swap-probation", probation]
      server = Server(name, self.folder, words, **({"FLEET_REFUSES": "B"} if name == refuses else {}))
      shutil.copy(self.old, server.folder / "app.so")
      self.addCleanup(server.stop)
      self.hosts.append(server.start())
    return self.hosts

  def run_playbook(self, new: pathlib.Path, **more) -> subprocess.CompletedProcess:
    ready = {host.name: f"http://{host.address()}/readyz" for host in self.hosts}
    return playbook(self.folder, self.hosts, new, ready=ready, **more)

  def answers(self) -> list[str]:
    return [ask(f"http://{host.address()}/")[1].strip() for host in self.hosts]

  def all_files_are(self, build: pathlib.Path):
    for host in self.hosts:
      self.assertEqual((host.folder / "app.so").read_bytes(), build.read_bytes(), host.name)

  def test_syntax_and_the_inventory_are_right(self):
    place = DEPLOY / "ansible"
    words = [TOOLS / "ansible-playbook", "--syntax-check", "-i", place / "inventory.ini", place / "swap.yml"]
    done = subprocess.run(words, capture_output=True, text=True)
    self.assertEqual((done.returncode, "WARN" in done.stderr), (0, False), done.stdout + done.stderr)

  def test_a_build_goes_to_all_hosts_and_a_second_run_has_nothing_to_do(self):
    self.fleet(probation="1")
    new = build(self.folder, "B")
    done = self.run_playbook(new)
    self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
    self.assertEqual(self.answers(), ["B one", "B two", "B three"])
    self.all_files_are(new)
    again = self.run_playbook(new)
    self.assertEqual(again.returncode, 0, again.stdout)
    self.assertRegex(again.stdout, r"one .*changed=0 .*\n.*three .*changed=0 ")

  def test_the_first_refusal_ends_it_and_takes_all_back(self):
    self.fleet(refuses="two")
    done = self.run_playbook(build(self.folder, "B"))
    self.assertNotEqual(done.returncode, 0)
    self.assertIn("what build B needs is not on this host", done.stdout)
    self.assertIn("the build before is back\"", done.stdout)
    self.assertEqual(self.answers(), ["A one", "A two", "A three"])
    self.all_files_are(self.old)
    self.assertEqual(self.hosts[2].status()["apps"][0]["generation"], 1, "the third has not been asked")
    self.assertEqual([host.status()["change"] for host in self.hosts], [None] * 3)

  def test_a_build_that_is_taken_back_in_its_probation_is_a_refusal_too(self):
    self.fleet(probation="20")
    new = build(self.folder, "C", "FAILS")
    is_over = threading.Event()

    def load():
      while not is_over.wait(0.02): ask(f"http://{self.hosts[0].address()}/")

    asking = threading.Thread(target=load)
    asking.start()
    try:
      done = self.run_playbook(new)
    finally:
      is_over.set()
      asking.join()
    self.assertNotEqual(done.returncode, 0)
    self.assertRegex(done.stdout, r"one: .*the build before is back")
    self.assertEqual(self.answers(), ["A one", "A two", "A three"])
    self.all_files_are(self.old)

  def test_a_host_that_does_not_serve_ends_it_before_anything_changes(self):
    self.fleet()
    self.hosts[2].kill()
    done = self.run_playbook(build(self.folder, "B"))
    self.assertNotEqual(done.returncode, 0)
    self.assertEqual([host.status()["apps"][0]["generation"] for host in self.hosts[:2]], [1, 1])


if __name__ == "__main__":
  unittest.main()
