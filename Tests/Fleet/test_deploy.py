"""The files of docs/deploy/fleet, each by its own tool, and served as they say."""
import pathlib
import re
import socket
import subprocess
import tempfile
import time
import unittest

import hcl2
import yaml

from hosts import DEPLOY, PROJECT, TOOLS, Program, Server, ask, build, free_port, listens, placed, until

HOSTS = {"10.0.0.11:8080": "one", "10.0.0.12:8080": "two", "10.0.0.13:8080": "three"}
IMAGE = PROJECT / "packaging/image"
FRAMEWORKS = PROJECT / ".build/frameworks"


def run(*words, **more) -> subprocess.CompletedProcess:
  path = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
  return subprocess.run([*map(str, words)], capture_output=True, text=True, env=path, timeout=300, **more)


def rendered(name: str) -> dict[str, dict]:
  """What `kubectl apply -k` would send, by kind."""
  done = run(TOOLS / "kubectl", "kustomize", DEPLOY / "kubernetes" / name)
  if done.returncode or done.stderr: raise AssertionError(done.stderr)
  return {part["kind"]: part for part in yaml.safe_load_all(done.stdout)}


class Folder(unittest.TestCase):
  def setUp(self):
    folder = tempfile.TemporaryDirectory(prefix="nsgi-fleet-")
    self.addCleanup(folder.cleanup)
    self.folder = pathlib.Path(folder.name)

  def serve(self, name: str, words: list, **environment: str) -> Server:
    server = Server(name, self.folder, words, **environment)
    self.addCleanup(server.stop)
    return server.start()


class BalancerTest(Folder):
  """HAProxy and nginx in front of three servers, one of which ends under way."""

  def hosts(self) -> dict[str, Server]:
    app = build(self.folder, "A")
    words = ["--app", app, "--http-socket", "127.0.0.1:0", "-p", "1", "-L", "--trusted-proxy", "127.0.0.1",
             "--ready-path", "/readyz"]
    return {name: self.serve(name, words) for name in HOSTS.values()}

  def answers(self, port: int) -> set[str]:
    found = set()
    for _ in range(30):
      status, text = ask(f"http://127.0.0.1:{port}/")
      self.assertEqual(status, 200, text)
      found.add(text.strip())
    return found

  def hold(self, port: int, hosts: dict[str, Server]):
    until("all hosts answer", lambda: self.answers(port) == {"A one", "A two", "A three"})
    hosts["two"].kill()
    # None is lost, neither before the balancer knows nor afterwards.
    until("two are left", lambda: self.answers(port) == {"A one", "A three"})

  def test_haproxy_takes_its_file(self):
    done = run("haproxy", "-c", "-f", DEPLOY / "haproxy.cfg")
    self.assertEqual((done.returncode, "WARN" in done.stderr.upper()), (0, False), done.stderr)

  def test_haproxy_sends_nobody_to_a_host_that_is_gone(self):
    hosts, port = self.hosts(), free_port()
    places = {fixed: hosts[name].address() for fixed, name in HOSTS.items()}
    places |= {"127.0.0.1:8000": f"127.0.0.1:{port}", "/run/haproxy/fleet.sock": f"{self.folder}/stats"}
    file = self.folder / "haproxy.cfg"
    file.write_text(placed("haproxy.cfg", places))
    balancer = Program(["haproxy", "-db", "-f", file], self.folder, "haproxy")
    self.addCleanup(balancer.stop)
    until("HAProxy listens", lambda: listens(port))
    self.hold(port, hosts)

  def nginx(self, places: dict[str, str]) -> pathlib.Path:
    (self.folder / "site.conf").write_text(placed("nginx.conf", places))
    temporary = "".join(f"{kind}_temp_path {self.folder}/{kind};\n"
                        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    main = self.folder / "nginx.conf"
    main.write_text(f"daemon off;\nmaster_process off;\npid {self.folder}/nginx.pid;\nerror_log stderr;\n"
                    f"events {{}}\nhttp {{\naccess_log off;\n{temporary}include site.conf;\n}}\n")
    return main

  def test_nginx_takes_its_file(self):
    done = run("nginx", "-t", "-p", self.folder, "-c", self.nginx({}), "-e", "stderr")
    self.assertEqual((done.returncode, "[warn]" in done.stderr), (0, False), done.stderr)

  def test_nginx_sends_nobody_to_a_host_that_is_gone(self):
    hosts, port = self.hosts(), free_port()
    places = {fixed: hosts[name].address() for fixed, name in HOSTS.items()}
    main = self.nginx(places | {"127.0.0.1:8000": f"127.0.0.1:{port}"})
    balancer = Program(["nginx", "-p", self.folder, "-c", main, "-e", "stderr"], self.folder, "nginx")
    self.addCleanup(balancer.stop)
    until("nginx listens", lambda: listens(port))
    self.hold(port, hosts)


class KubernetesTest(Folder):
  def test_the_api_s_schemas_hold(self):
    for name in ("base", "django"):
      file = self.folder / f"{name}.yaml"
      file.write_text(run(TOOLS / "kubectl", "kustomize", DEPLOY / "kubernetes" / name).stdout)
      done = run(TOOLS / "kubernetes-validate", "--strict", file)
      said = done.stdout + done.stderr
      self.assertEqual((done.returncode, said.count(" passed ")), (0, 6), said)

  def test_one_thing_is_named_alike_everywhere(self):
    for name in ("base", "django"):
      parts = rendered(name)
      spec = parts["Deployment"]["spec"]
      pod, labels = spec["template"]["spec"], spec["template"]["metadata"]["labels"].items()
      ports = {port["name"] for port in pod["containers"][0]["ports"]}
      selectors = [spec["selector"]["matchLabels"], parts["Service"]["spec"]["selector"],
                   parts["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
                   parts["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
                   pod["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"]]
      for selector in selectors: self.assertTrue(selector and selector.items() <= labels, selector)
      self.assertEqual(parts["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]["name"],
                       parts["Deployment"]["metadata"]["name"])
      named = {parts["Service"]["spec"]["ports"][0]["targetPort"]}
      named |= {port["port"] for rule in parts["NetworkPolicy"]["spec"]["ingress"] for port in rule["ports"]}
      self.assertLessEqual(named, ports)
      volumes = {volume["name"] for volume in pod["volumes"]}
      containers = pod["containers"] + pod.get("initContainers", [])
      for container in containers:
        self.assertLessEqual({mount["name"] for mount in container["volumeMounts"]}, volumes)
        security = container["securityContext"]
        self.assertEqual((security["readOnlyRootFilesystem"], security["allowPrivilegeEscalation"],
                          security["capabilities"]), (True, False, {"drop": ["ALL"]}))
      self.assertTrue(pod["securityContext"]["runAsNonRoot"])
      used = [container["image"] for container in containers]
      self.assertEqual(len(set(used)), 1, used)
      grace = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"] + 2 + 60
      self.assertGreater(pod["terminationGracePeriodSeconds"], grace)

  def container(self, name: str, place: pathlib.Path, **environment: str) -> Server:
    """The container of the Deployment, as its image starts it, with /srv elsewhere and other ports."""
    words = rendered(name)["Deployment"]["spec"]["template"]["spec"]["containers"][0]["args"]
    words = [word.replace("/srv", str(place)).replace(":8080", "127.0.0.1:0").replace("*:9100", "127.0.0.1:0")
             for word in words]
    return self.serve("pod", [*words, "--swap-soak=0", "--swap-probation=0"], **environment)

  def probe(self, name: str, server: Server):
    container = rendered(name)["Deployment"]["spec"]["template"]["spec"]["containers"][0]
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
      path = container[probe]["httpGet"]["path"]
      self.assertEqual(ask(f"http://{server.address()}{path}")[0], 200, probe)

  def config_map(self, place: pathlib.Path, files: dict[str, str]):
    """Puts a ConfigMap there, or the next one, as the kubelet does: a directory, and a link turned to it."""
    data = place / f"..{time.time_ns()}"
    data.mkdir(parents=True)
    for name, text in files.items():
      (data / name).write_text(text)
      if not (place / name).is_symlink(): (place / name).symlink_to(f"..data/{name}")
    (place / "..data_tmp").symlink_to(data.name)
    (place / "..data_tmp").rename(place / "..data")

  def test_a_changed_config_map_is_swapped_in(self):
    place, files = self.folder / "srv/app", rendered("base")["ConfigMap"]["data"]
    self.config_map(place, files)
    server = self.container("base", self.folder / "srv")
    self.probe("base", server)
    self.assertEqual(ask(f"http://{server.address()}/")[1], "Version one\n")
    self.config_map(place, {"app.py": files["app.py"].replace("one", "two")})
    until("the new version", lambda: ask(f"http://{server.address()}/")[1] == "Version two\n")
    self.config_map(place, {"app.py": "import nothing_of_that_name\n"})
    server.wait("(reload refused)")
    self.assertEqual(ask(f"http://{server.address()}/")[1], "Version two\n")

  def test_the_metrics_of_the_autoscaler_are_scraped(self):
    self.config_map(self.folder / "srv/app", rendered("base")["ConfigMap"]["data"])
    server = self.container("base", self.folder / "srv")
    text = ask(f"http://{server.address('metrics')}/metrics")[1]
    metric = rendered("base")["HorizontalPodAutoscaler"]["spec"]["metrics"][0]["pods"]["metric"]["name"]
    self.assertRegex(text, rf"(?m)^# TYPE {metric} gauge$")
    self.assertEqual(len(re.findall(rf"(?m)^{metric}{{", text)), 2, "a series for each worker")
    rules = yaml.safe_load((DEPLOY / "kubernetes/adapter.yaml").read_text())["rules"]["custom"]
    self.assertEqual([re.match(r"\w+", rule["seriesQuery"])[0] for rule in rules], [metric])

  def test_the_overlay_serves_a_django_project(self):
    place = self.folder / "srv"
    place.mkdir()
    self.assertEqual(run(FRAMEWORKS / "bin/django-admin", "startproject", "mysite", place).returncode, 0)
    (place / "static").mkdir()
    (place / "static/style.css").write_text("body {}\n")
    parts = rendered("django")
    settings = parts["Secret"]["stringData"]
    migrate = parts["Deployment"]["spec"]["template"]["spec"]["initContainers"][0]["command"]
    done = run(FRAMEWORKS / "bin/python", *migrate[1:], cwd=place)
    self.assertEqual(done.returncode, 0, done.stderr)
    # The image has the server in the project's environment, and the project as its working directory.
    self.assertIn("WORKDIR /srv", (IMAGE / "Containerfile.django").read_text())
    words = parts["Deployment"]["spec"]["template"]["spec"]["containers"][0]["args"]
    self.assertIn("--module=mysite.wsgi", words)
    server = self.container("django", place, PYTHONPATH=str(place), VIRTUAL_ENV=str(FRAMEWORKS),
                            DJANGO_SETTINGS_MODULE=settings["DJANGO_SETTINGS_MODULE"])
    self.probe("django", server)
    self.assertIn("install worked successfully", ask(f"http://{server.address()}/")[1])
    self.assertEqual(ask(f"http://{server.address()}/static/style.css")[1], "body {}\n")


def plain(value):
  """HCL as values: quotes and marks of blocks gone, a block that stands once as itself."""
  if isinstance(value, str): return value[1:-1] if value[:1] == '"' == value[-1:] else value
  if isinstance(value, dict):
    return {plain(key): plain(item) for key, item in value.items() if key != "__is_block__"}
  if isinstance(value, list):
    items = [plain(item) for item in value]
    return items[0] if len(items) == 1 and isinstance(items[0], dict) else items
  return value


class NomadTest(Folder):
  def job(self) -> dict:
    with (DEPLOY / "app.nomad.hcl").open() as file: return plain(hcl2.load(file))["job"]["app"]

  def test_the_job_says_what_it_means(self):
    job = self.job()
    task = job["group"]["app"]["task"]["server"]
    self.assertEqual((job["update"]["max_parallel"], job["update"]["auto_revert"]), (1, True))
    self.assertEqual(job["group"]["app"]["service"]["check"]["path"], "/readyz")
    ports = {name for block in job["group"]["app"]["network"]["port"] for name in block}
    used = set(re.findall(r"NOMAD_PORT_(\w+)", " ".join(task["config"]["args"])))
    self.assertEqual(ports, used)

  def test_its_task_serves_and_its_script_swaps(self):
    task = self.job()["group"]["app"]["task"]["server"]
    data = re.fullmatch(r"<<PYTHON\n(.*)PYTHON", task["template"]["data"], re.S)[1]
    (self.folder / "local/app").mkdir(parents=True)
    file = self.folder / task["template"]["destination"]
    file.write_text(data)
    here = {"/local/": f"{self.folder}/local/", "/alloc/": f"{self.folder}/"}

    def placed_word(word: str) -> str:
      for fixed, actual in here.items(): word = word.replace(f"={fixed}", f"={actual}")
      return re.sub(r"(\*|=):?:\$\{NOMAD_PORT_\w+\}|:\$\{NOMAD_PORT_\w+\}",
                    lambda match: ("=" if match[0][0] == "=" else "") + "127.0.0.1:0", word)

    words = [placed_word(word) for word in task["config"]["args"] if "control-socket" not in word]
    server = self.serve("task", [*words, "--swap-soak=0", "--swap-probation=0"])
    self.assertEqual(ask(f"http://{server.address()}/")[1], "Version one\n")
    with socket.create_connection(tuple(server.address("agent-check").rsplit(":", 1))) as agent:
      self.assertEqual(agent.makefile().readline(), "up ready 100%\n")
    file.write_text(data.replace("one", "two"))
    script = task["template"]["change_script"]
    self.assertEqual(script["args"][:2] + script["args"][3:], ["ctl", "--control-socket", "swap"])
    self.assertTrue(server.ctl("swap")["changed"])
    self.assertEqual(ask(f"http://{server.address()}/")[1], "Version two\n")


if __name__ == "__main__":
  unittest.main()
