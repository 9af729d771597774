"""A headless Chromium, spoken to over a pair of pipes (--remote-debugging-pipe): no driver, no library."""
import base64
import json
import os
import pathlib
import select
import shutil
import subprocess
import tempfile
import time

PROJECT = pathlib.Path(__file__).resolve().parents[2]
SCREENSHOTS = PROJECT / ".build/screenshots"


class Chromium:
  """One browser with one page, or with further tabs; a context manager. options: further ones of its own."""

  def __init__(self, *options: str):
    program = shutil.which("chromium") or shutil.which("chromium-headless-shell")
    if not program:
      raise SystemExit("there is no Chromium; use: scripts/install.sh browser")
    self._profile = tempfile.TemporaryDirectory(prefix="browser-", ignore_cleanup_errors=True)
    (take, self._to), (self._from, give) = os.pipe(), os.pipe()
    # Its end of the pipes are descriptors 3 and 4, whatever they are here. As root it has no sandbox.
    script = f'exec "$@" 3<&{take} 4>&{give}'
    usual = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
             "--disable-background-networking", "--remote-debugging-pipe", "--hide-scrollbars",
             # A page that was left would be kept, with its sockets open.
             "--disable-features=BackForwardCache", f"--user-data-dir={self._profile.name}"]
    self._process = subprocess.Popen(
      ["bash", "-c", script, "bash", program, *usual, *options, "about:blank"], pass_fds=(take, give),
      stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    os.close(take)
    os.close(give)
    self._left, self._number, self._session = b"", 0, None
    self.events: list[dict] = []

  def __enter__(self) -> "Chromium":
    self.tab()
    return self

  def tab(self) -> str:
    """Opens another tab, which is the page from now on; its name for `turn`."""
    self._session = None
    target = self.ask("Target.createTarget", url="about:blank")["targetId"]
    self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
    for domain in ("Page", "Runtime", "Network", "Log"):
      self.ask(f"{domain}.enable")
    return self._session

  def turn(self, tab: str):
    """Makes a tab the page that everything else is about."""
    self._session = tab

  def leave(self):
    """Goes to an empty page, as whoever closes the tab."""
    self.ask("Page.navigate", url="about:blank")

  def __exit__(self, *_):
    try:
      self._session = None
      self.ask("Browser.close")
      self._process.wait(10)
    except (OSError, ValueError, RuntimeError, subprocess.TimeoutExpired):
      self._process.kill()
      self._process.wait()
    os.close(self._to)
    os.close(self._from)
    self._profile.cleanup()

  def _read(self, seconds: float) -> dict | None:
    end = time.monotonic() + seconds
    while b"\0" not in self._left:
      if not select.select([self._from], [], [], max(0.0, end - time.monotonic()))[0]:
        return None
      piece = os.read(self._from, 1 << 20)
      if not piece:
        raise RuntimeError("the browser has ended")
      self._left += piece
    text, _, self._left = self._left.partition(b"\0")
    return json.loads(text)

  def ask(self, method: str, **parameters) -> dict:
    """Calls a method of the protocol; events that come meanwhile are kept in `events`."""
    self._number += 1
    call = {"id": self._number, "method": method, "params": parameters}
    if self._session:
      call["sessionId"] = self._session
    os.write(self._to, json.dumps(call).encode() + b"\0")
    while message := self._read(30):
      if message.get("id") == self._number:
        if "error" in message:
          raise RuntimeError(f"{method}: {message['error']['message']}")
        return message["result"]
      self.events.append(message)
    raise RuntimeError(f"{method}: no answer in 30 s")

  def open(self, url: str):
    """Goes to a page and waits until it is loaded."""
    self.events.clear()
    answer = self.ask("Page.navigate", url=url)
    if "errorText" in answer:
      raise RuntimeError(f"{url}: {answer['errorText']}")
    self.wait("document.readyState === 'complete' && location.href !== 'about:blank'")

  def run(self, expression: str):
    """The value of an expression of JavaScript in the page."""
    answer = self.ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
    if "exceptionDetails" in answer:
      raise RuntimeError(f"{expression}: {answer['exceptionDetails']}")
    return answer["result"].get("value")

  def wait(self, expression: str, seconds: float = 30):
    """Waits until an expression is true, and returns it."""
    end = time.monotonic() + seconds
    while not (value := self._attempt(expression)):
      if time.monotonic() > end:
        raise RuntimeError(f"not in {seconds:g} s: {expression}; the page is\n{self.text()}")
      time.sleep(0.1)
    return value

  def _attempt(self, expression: str):
    try:
      return self.run(expression)
    except RuntimeError:
      # The page is being left for another one.
      return None

  def text(self) -> str:
    """What a person reads on the page."""
    return self.run("document.body.innerText")

  def look(self, width: int, height: int, dark: bool = False):
    """A window of this size, light or dark."""
    self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
             mobile=width < 600)
    feature = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    self.ask("Emulation.setEmulatedMedia", features=[feature])

  def screenshot(self, name: str) -> bytes:
    """A picture of the whole page, kept in .build/screenshots."""
    data = base64.b64decode(self.ask("Page.captureScreenshot", captureBeyondViewport=True)["data"])
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    (SCREENSHOTS / f"{name}.png").write_bytes(data)
    return data

  def requested(self) -> list[str]:
    """The addresses that the page has asked for since it was opened."""
    return [event["params"]["request"]["url"] for event in self.events
            if event.get("method") == "Network.requestWillBeSent"]

  def complaints(self) -> list[dict]:
    """What has gone wrong in the page: exceptions, and what a console would show as errors."""
    def is_error(entry: dict) -> bool:
      # Browsers ask for an icon by themselves.
      return entry["level"] == "error" and not entry.get("url", "").endswith("/favicon.ico")
    return [event["params"] for event in self.events
            if event.get("method") == "Runtime.exceptionThrown"
            or event.get("method") == "Log.entryAdded" and is_error(event["params"]["entry"])]
