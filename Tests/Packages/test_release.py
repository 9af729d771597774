"""`make release`, in a clone of the project: `make test-packages`."""
import pathlib
import re
import subprocess
import tempfile
import unittest

from roots import PROJECT


class ReleaseTest(unittest.TestCase):
  def setUp(self):
    folder = tempfile.TemporaryDirectory()
    self.addCleanup(folder.cleanup)
    self.clone = pathlib.Path(folder.name, "clone")
    self.git("clone", "-q", "--no-hardlinks", PROJECT, self.clone, at=folder.name)
    self.git("config", "user.name", "Test")
    self.git("config", "user.email", "test@localhost")

  def git(self, *words, at=None) -> str:
    done = subprocess.run(["git", *words], cwd=at or self.clone, check=True, capture_output=True, text=True)
    return done.stdout.strip()

  def release(self, *words) -> subprocess.CompletedProcess:
    return subprocess.run([self.clone / "packaging/release.sh", *words], capture_output=True, text=True)

  def version(self) -> str:
    done = subprocess.run([self.clone / "packaging/version.sh"], check=True, capture_output=True, text=True)
    return done.stdout.strip()

  def test_writes_the_version_dates_the_changes_and_tags(self):
    done = self.release("98.7.6")
    self.assertEqual(done.returncode, 0, done.stderr)
    self.assertEqual(self.version(), "98.7.6")
    self.assertEqual(self.git("describe"), "v98.7.6")
    self.assertEqual(self.git("status", "--porcelain"), "")
    changes = (self.clone / "CHANGELOG.md").read_text()
    self.assertRegex(changes, r"## Unreleased\n\n## 98\.7\.6 \(\d{4}-\d\d-\d\d\)\n\n- ")
    program = (self.clone / "Sources/Config/Settings/Program.swift").read_text()
    self.assertIn('"nsgi-server/98.7.6"', program)

  def test_documents_name_the_images_of_the_release(self):
    tag = re.compile(r"nsgi-server(?:-python3)?(?::|, newTag: )(\d[\w.-]*)")
    def tags() -> dict[str, set[str]]:
      paths = self.git("ls-files", "docs").splitlines()
      found = {path: set(tag.findall((self.clone / path).read_text(errors="replace"))) for path in paths}
      return {path: some for path, some in found.items() if some}
    before = tags()
    self.assertGreaterEqual(len(before), 3)
    # All of them, wherever they stand: a new place has to be one of those that the script writes.
    self.assertEqual(before, {path: {self.version()} for path in before})
    done = self.release("98.7.6-rc.1")
    self.assertEqual(done.returncode, 0, done.stderr)
    self.assertEqual(tags(), {path: {"98.7.6-rc.1"} for path in before})
    self.assertEqual(self.git("status", "--porcelain"), "")

  def test_no_other_source_states_the_version(self):
    pattern = rf'StaticString = "(nsgi-server/)?{re.escape(self.version())}"'
    found = self.git("grep", "-lE", pattern, "--", "Sources", "Plugins").splitlines()
    self.assertEqual(found, ["Sources/Config/Settings/Program.swift"])

  def test_refuses_in_one_sentence(self):
    for words, reason in (([], "is no version"), (["1"], "is no version"), (["0.0.1"], "is before")):
      done = self.release(*words)
      self.assertEqual(done.returncode, 1)
      self.assertIn(reason, done.stderr)
      self.assertEqual(len(done.stderr.splitlines()), 1)
    (self.clone / "README.md").write_text("changed")
    self.assertIn("not committed", self.release("98.7.6").stderr)


if __name__ == "__main__":
  unittest.main(verbosity=2)
