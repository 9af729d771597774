"""The documentation as a site, served by the server itself: `make test-packages`."""
import html.parser
import json
import pathlib
import subprocess
import tempfile
import unittest
import urllib.error
import urllib.parse
import urllib.request

from roots import PROJECT


class Links(html.parser.HTMLParser):
  """What a page leads to, and takes in."""

  def __init__(self):
    super().__init__()
    self.found = set()

  def handle_starttag(self, tag, attributes):
    for name, value in attributes:
      if name in ("href", "src") and value and not value.startswith(("#", "data:", "mailto:")):
        self.found.add(value)


class SiteTest(unittest.TestCase):
  def test_every_page_and_link_is_served(self):
    folder = tempfile.TemporaryDirectory()
    self.addCleanup(folder.cleanup)
    site = pathlib.Path(folder.name, "site")
    subprocess.run([PROJECT / "packaging/site.sh", site], check=True, stdout=subprocess.DEVNULL, timeout=900)
    server = subprocess.Popen(
      [PROJECT / ".build/release/server", "--app", PROJECT / ".build/apps/hello_world_app.so",
       "--http-socket", "127.0.0.1:0", "--no-master", "--static-map", f"/docs={site}",
       "--static-index", "index.html"], stderr=subprocess.PIPE, text=True)
    self.addCleanup(server.stderr.close)
    self.addCleanup(server.wait)
    self.addCleanup(server.terminate)
    address = next(line.split()[3] for line in server.stderr if line.rstrip().endswith(" ready"))
    start = f"http://{address}/docs/"
    seen, waiting, pages = set(), [start], 0
    while waiting:
      url = urllib.parse.urldefrag(waiting.pop())[0]
      if url in seen or not url.startswith(start): continue
      seen.add(url)
      try:
        with urllib.request.urlopen(url, timeout=10) as answer:
          text, kind = answer.read(), answer.headers["Content-Type"]
      except urllib.error.HTTPError as error:
        self.fail(f"{url}: {error}")
      if not kind.startswith("text/html"): continue
      pages += 1
      links = Links()
      links.feed(text.decode())
      waiting += [urllib.parse.urljoin(url, link) for link in links.found]
    self.assertGreater(pages, 15)
    index = json.loads((site / "search/search_index.json").read_text())
    self.assertTrue(any("nsgi-server-python3" in entry["text"] for entry in index["docs"]))


if __name__ == "__main__":
  unittest.main(verbosity=2)
