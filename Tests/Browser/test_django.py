"""Django's admin under a uwsgi.ini of twelve lines, with a person's eyes: the page has its style sheets, and
whoever logs in sees the administration. Files are the server's: Django serves none without DEBUG."""
import os
import pathlib
import re
import subprocess
import tempfile
import time
import unittest

from chromium import PROJECT, Chromium

HOME = PROJECT / ".build/frameworks"
SETTINGS = """
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
STATIC_ROOT = BASE_DIR / "files"
"""
CONFIGURATION = """[uwsgi]
project = shop
chdir = %dsite
home = {home}
plugins = python3
module = %(project).wsgi:application
env = DJANGO_SETTINGS_MODULE=%(project).settings
http-socket = 127.0.0.1:0
processes = 2
threads = 2
static-map = /static=%dsite/files
disable-logging = true
"""


class DjangoTest(unittest.TestCase):
  def setUp(self):
    self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="django-")))
    site = self.folder / "site"
    site.mkdir()
    python = HOME / "bin/python"
    environment = dict(os.environ, DJANGO_SUPERUSER_USERNAME="admin", DJANGO_SUPERUSER_PASSWORD="open sesame",
                       DJANGO_SUPERUSER_EMAIL="a@example.org")

    def run(*words):
      subprocess.run([python, *words], cwd=site, env=environment, check=True, stdout=subprocess.DEVNULL,
                     timeout=120)

    run("-m", "django", "startproject", "shop", site)
    with open(site / "shop/settings.py", "a", encoding="utf-8") as file: file.write(SETTINGS)
    for command in (["migrate"], ["collectstatic", "--noinput"], ["createsuperuser", "--noinput"]):
      run("manage.py", *command)
    (self.folder / "uwsgi.ini").write_text(CONFIGURATION.format(home=HOME), encoding="utf-8")
    self.log = self.folder / "log"
    with open(self.log, "w", encoding="utf-8") as log:
      self.server = subprocess.Popen([PROJECT / ".build/release/server", "uwsgi.ini"], cwd=self.folder,
                                     stdout=log, stderr=log)
    self.addCleanup(self.server.wait, 30)
    self.addCleanup(self.server.terminate)
    end = time.monotonic() + 30
    while not (ready := re.search(r"socket (\S+) ready$", self.log.read_text(encoding="utf-8"), re.M)):
      isWaiting = self.server.poll() is None and time.monotonic() < end
      self.assertTrue(isWaiting, self.log.read_text(encoding="utf-8"))
      time.sleep(0.05)
    self.url = f"http://{ready[1]}"

  def test_a_browser_logs_in_and_sees_the_style(self):
    browser = self.enterContext(Chromium())
    browser.look(1200, 900)
    browser.open(self.url + "/admin/")
    self.assertEqual(browser.run("location.pathname"), "/admin/login/")
    # Every style sheet was loaded, and colours the page.
    sheets = "[...document.styleSheets].filter(sheet => sheet.href)"
    self.assertGreater(browser.run(f"{sheets}.length"), 2)
    self.assertTrue(browser.run(f"{sheets}.every(sheet => sheet.cssRules.length > 0)"))
    colour = browser.run("getComputedStyle(document.getElementById('header')).backgroundColor")
    self.assertNotIn(colour, ("rgba(0, 0, 0, 0)", "rgb(255, 255, 255)"))
    browser.screenshot("django-login")
    browser.run("document.getElementById('id_username').value = 'admin';"
                "document.getElementById('id_password').value = 'open sesame';"
                "document.querySelector('#login-form input[type=submit]').click()")
    browser.wait("document.title.startsWith('Site administration') && document.readyState === 'complete'")
    self.assertIn("Users", browser.text())
    self.assertTrue(browser.run(f"{sheets}.every(sheet => sheet.cssRules.length > 0)"))
    browser.screenshot("django-admin")
    self.assertEqual(browser.complaints(), [])


if __name__ == "__main__":
  unittest.main()
