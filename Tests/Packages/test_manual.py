"""Man pages and completions, made from the option table: `make test-packages`."""
import pathlib
import re
import subprocess
import tempfile
import unittest

import pexpect

from roots import PROJECT


class ManualTest(unittest.TestCase):
  @classmethod
  def setUpClass(cls):
    cls.folder = tempfile.TemporaryDirectory()
    cls.out = pathlib.Path(cls.folder.name)
    command = [PROJECT / "packaging/stage.sh", "/usr", cls.out]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    cls.share = cls.out / "usr/share"
    cls.bin = cls.out / "usr/bin"
    said = subprocess.run([cls.bin / "nsgi-server", "--help"], check=True, capture_output=True, text=True)
    cls.help = said.stdout

  @classmethod
  def tearDownClass(cls):
    cls.folder.cleanup()

  def options(self) -> list[str]:
    """Every long name that the help gives."""
    rows = [line for line in self.help.splitlines() if line.startswith("  -")]
    heads = [row[:32] if row[30:32] == "  " else row for row in rows]
    return sorted({name for head in heads for name in re.findall(r"--[a-z0-9-]+", head)})

  def test_pages_are_good(self):
    pages = sorted((self.share / "man").rglob("*.[358]"))
    self.assertEqual([page.name for page in pages],
                     ["nsgi.h.3", "nsgi-server.ini.5", "nsgi-server-ctl.8", "nsgi-server.8"])
    for page in pages:
      with self.subTest(page=page.name):
        lint = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", page], capture_output=True, text=True)
        self.assertEqual((lint.stdout, lint.returncode), ("", 0))

  def test_page_has_every_option(self):
    page = subprocess.run(["mandoc", "-T", "ascii", self.share / "man/man8/nsgi-server.8"], check=True,
                          capture_output=True, text=True).stdout
    shown = re.sub(".\b", "", page)
    self.assertGreater(len(self.options()), 100)
    for name in self.options(): self.assertIn(name, shown)
    for command in ("check", "ctl", "migrate", "new", "top"): self.assertIn(f"nsgi-server {command} ", shown)

  def complete(self, shell: str, typed: str) -> str:
    """What a shell shows when a word is completed."""
    start = {
      "bash": ("bash", ["--norc", "--noprofile", "-i"],
               f"bind 'set completion-query-items 0'; bind 'set page-completions off'; "
               f"source {self.share}/bash-completion/completions/nsgi-server"),
      "zsh": ("zsh", ["-f", "-i"],
              f"unsetopt LIST_AMBIGUOUS; fpath=({self.share}/zsh/site-functions $fpath); "
              f"autoload -U compinit; compinit -u -d {self.out}/zcompdump; LISTMAX=10000"),
      "fish": ("fish", ["--no-config", "-i"],
               f"set -p fish_complete_path {self.share}/fish/vendor_completions.d"),
    }[shell]
    if shell == "fish":
      # Fish answers on its own what its menu would show.
      return subprocess.run(
        ["fish", "--no-config", "-c", f"{start[2]}; complete -C '{typed}'"], check=True,
        capture_output=True, text=True,
        env={"PATH": f"{self.bin}:/usr/bin:/bin", "HOME": self.folder.name, "TERM": "dumb"}).stdout
    child = pexpect.spawn(start[0], start[1], encoding="utf-8", timeout=20, dimensions=(200, 160),
                          env={"PATH": f"{self.bin}:/usr/bin:/bin", "HOME": self.folder.name, "TERM": "dumb",
                               "PS1": "ready> "})
    try:
      child.sendline(f"PS1='ready''> '; {start[2]}; echo set''up")
      child.expect("setup")
      child.expect("ready> ")
      child.send(typed + "\t\t")
      shown = ""
      while True:
        try:
          shown += child.read_nonblocking(65536, timeout=3)
        except (pexpect.TIMEOUT, pexpect.EOF):
          return shown
    finally:
      child.close(force=True)

  def test_completions(self):
    for shell in ("bash", "zsh", "fish"):
      with self.subTest(shell=shell, of="an option"):
        shown = self.complete(shell, "nsgi-server --fastcgi-s")
        self.assertIn("--fastcgi-socket", shown)
        self.assertIn("--fastcgi-stderr", shown)
      with self.subTest(shell=shell, of="a verb"):
        shown = self.complete(shell, "nsgi-server ctl ")
        for verb in ("status", "swap", "rollback", "upgrade", "log-reopen"): self.assertIn(verb, shown)
      with self.subTest(shell=shell, of="a language"):
        shown = self.complete(shell, "nsgi-server new mine --language ")
        for language in ("cpp", "python", "rust", "swift"): self.assertIn(language, shown)
      with self.subTest(shell=shell, of="a framework"):
        shown = self.complete(shell, "nsgi-server new mine --language python --framework ")
        for framework in ("django", "fastapi", "flask"): self.assertIn(framework, shown)

  def test_completions_know_every_option(self):
    for name in ("bash-completion/completions/nsgi-server", "zsh/site-functions/_nsgi-server",
                 "fish/vendor_completions.d/nsgi-server.fish"):
      text = (self.share / name).read_text()
      for option in self.options():
        wanted = f"-l {option[2:]} " if name.endswith(".fish") else option
        self.assertTrue(wanted in text, f"{name} does not know {option}")


if __name__ == "__main__":
  unittest.main(verbosity=2)
