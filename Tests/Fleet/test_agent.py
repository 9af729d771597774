"""What HAProxy makes of `--agent-check`: its own word for a server that is up, busy, leaving, or without
workers."""
import os
import pathlib
import signal
import socket
import tempfile
import threading
import unittest

from hosts import Program, Server, ask, build, free_port, haproxy_servers, placed, until


class AgentTest(unittest.TestCase):
  def setUp(self):
    folder = tempfile.TemporaryDirectory(prefix="nsgi-fleet-")
    self.addCleanup(folder.cleanup)
    self.folder = pathlib.Path(folder.name)
    self.slow, self.broken, self.held = (self.folder / name for name in ("slow", "broken", "held"))
    words = ["--app", build(self.folder, "A"), "--http-socket", "127.0.0.1:0", "-p", "1", "--threads", "2",
             "-L", "--health-path", "/healthz", "--shutdown-delay", "60", "--agent-check", "127.0.0.1:0",
             "--agent-check", self.folder / "agent.sock"]
    self.server = Server("one", self.folder, words, FLEET_SLOW=str(self.slow),
                         FLEET_BROKEN=str(self.broken), FLEET_HELD=str(self.held))
    self.addCleanup(self.server.stop)
    self.addCleanup(self.announce_the_stop)
    self.server.start()
    agent = until("the agent's port", lambda: self.server.address("agent-check")).rsplit(":", 1)[1]
    self.port, self.stats = free_port(), self.folder / "stats"
    places = {"10.0.0.11:8080": self.server.address(), "agent-port 8085": f"agent-port {agent}",
              # Asked for its health alone it is well to the end: what HAProxy does is by the agent's word.
              "uri /readyz": "uri /healthz", "127.0.0.1:8000": f"127.0.0.1:{self.port}",
              "/run/haproxy/fleet.sock": str(self.stats)}
    lines = placed("haproxy.cfg", places).splitlines()
    # The other two hosts of the file are not here.
    kept = [line for line in lines if not line.startswith(("  server two", "  server three"))]
    file = self.folder / "haproxy.cfg"
    file.write_text("\n".join(kept) + "\n")
    balancer = Program(["haproxy", "-db", "-f", file], self.folder, "haproxy")
    self.addCleanup(balancer.stop)
    until("HAProxy finds it", lambda: self.stats.exists() and self.row()["agent_status"].startswith("L7OK"))

  def announce_the_stop(self):
    """The signal that ends a test is the second one then, which does not wait for --shutdown-delay."""
    if self.server.process.poll() is not None: return
    self.server.process.terminate()
    until("the stop is announced", lambda: self.agent() == "up drain\n")

  def row(self) -> dict[str, str]:
    return haproxy_servers(self.stats)["one"]

  def test_the_weight_falls_while_all_calls_are_taken_and_comes_back(self):
    until("all of the weight", lambda: self.row()["weight"] == "100")
    self.slow.touch()
    asked = [threading.Thread(target=ask, args=(f"http://127.0.0.1:{self.port}/", 60)) for _ in range(6)]
    for thread in asked: thread.start()
    # Two calls run at once, and four wait: nothing is free, and the least weight is 1.
    until("the least weight", lambda: self.row()["weight"] == "1")
    self.assertEqual(self.row()["status"], "UP")
    self.slow.unlink()
    for thread in asked: thread.join()
    until("all of the weight again", lambda: self.row()["weight"] == "100")

  def test_half_of_the_calls_is_half_of_the_weight(self):
    self.slow.touch()
    asked = threading.Thread(target=ask, args=(f"http://127.0.0.1:{self.port}/", 60))
    asked.start()
    until("half of the weight", lambda: 45 <= int(self.row()["weight"]) <= 55)
    self.slow.unlink()
    asked.join()

  def test_a_server_that_is_to_stop_drains_then_is_in_maintenance_and_comes_back(self):
    self.server.process.send_signal(signal.SIGTERM)
    until("HAProxy drains it", lambda: self.row()["status"].startswith("DRAIN"))
    self.assertEqual(self.agent(), "up drain\n")
    # Requests that still come are answered.
    self.assertEqual(ask(f"http://{self.server.address()}/"), (200, "A one\n"))
    self.held.touch()
    last = []
    asked = threading.Thread(target=lambda: last.append(ask(f"http://{self.server.address()}/", 60)))
    asked.start()
    until("the last request", lambda: self.server.status()["workers"][0]["serving"])
    self.server.process.send_signal(signal.SIGTERM)
    until("HAProxy has it in maintenance", lambda: self.row()["status"].startswith("MAINT"))
    self.held.unlink()
    asked.join()
    self.assertEqual(last, [(200, "A one\n")])
    self.assertEqual(self.server.process.wait(60), 0)
    # Started again where it was: its agent's first line takes it out of maintenance.
    places = iter([self.server.address(), self.server.address("agent-check")])
    self.server.words = [next(places) if word == "127.0.0.1:0" else word for word in self.server.words]
    self.server.start()
    until("HAProxy sends again", lambda: self.row()["status"].startswith("UP"))
    self.assertEqual(ask(f"http://127.0.0.1:{self.port}/"), (200, "A one\n"))

  def agent(self) -> str:
    """The unix socket's line, as HAProxy has it from the other one."""
    with socket.socket(socket.AF_UNIX) as connection:
      connection.connect(str(self.folder / "agent.sock"))
      return connection.makefile().read()

  def test_without_a_worker_it_has_stopped_and_with_one_it_is_up_again(self):
    self.broken.touch()
    os.kill(self.server.status()["workers"][0]["pid"], signal.SIGKILL)
    until("it has stopped", lambda: self.agent() == "stopped#no worker serves\n")
    until("HAProxy knows", lambda: self.row()["status"].startswith("DOWN"))
    self.broken.unlink()
    until("HAProxy sends again", lambda: self.row()["status"].startswith("UP"))
    self.assertTrue(self.agent().startswith("up ready"))


if __name__ == "__main__":
  unittest.main()
