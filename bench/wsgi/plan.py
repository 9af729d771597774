"""What is measured: cells, which are a route, an application, connections; and the ladder of rates."""
from dataclasses import dataclass

from wsgi.chain import Route, routes

# Requests a second: each step is the last one times the square root of two, so that every server meets the
# same rates.
LADDER = [round(10 * 2 ** (step / 2), 0 if step > 6 else 1) for step in range(31)]
CONNECTIONS = 64
MORE_CONNECTIONS = (1, 500, 2000)


@dataclass(frozen=True)
class Cell:
  """One curve: rate against latency."""
  route: Route
  app: str = "hello"
  connections: int = CONNECTIONS
  is_kept: bool = True

  @property
  def title(self) -> str:
    """For a look at how far it is."""
    kept = "kept" if self.is_kept else "one a request"
    return f"{self.route.title}, {self.app}, {self.connections} connections, {kept}"

  def key(self) -> dict:
    """Its part of a row."""
    return {"server": self.route.server, "front": self.route.front, "protocol": self.route.protocol,
            "app": self.app, "connections": self.connections, "kept": self.is_kept}


def cell_of(row: dict) -> Cell:
  """The cell that a row belongs to."""
  route = Route(row["server"], row["front"], row["protocol"])
  return Cell(route, row["app"], row["connections"], row["kept"])


def full(with_pages_in_front: bool = False) -> list[Cell]:
  """Everything: directly all applications and all numbers of connections, behind web servers hello world."""
  cells = []
  for route in routes():
    direct = route.front == "direct"
    apps = ("hello", "flask", "django") if direct or with_pages_in_front else ("hello",)
    cells += [Cell(route, app) for app in apps]
    if direct:
      cells += [Cell(route, connections=connections) for connections in MORE_CONNECTIONS]
      cells.append(Cell(route, is_kept=False))
  return cells


def quick() -> list[Cell]:
  """A look, no claim: few servers, in three to four minutes."""
  def direct(server: str) -> Route:
    return Route(server, "direct", "http")
  cells = [Cell(direct(server)) for server in ("nsgi", "nsgi-again", "uwsgi", "gunicorn-gthread", "bjoern")]
  cells += [Cell(direct(server), "flask") for server in ("nsgi", "bjoern")]
  cells += [Cell(direct("nsgi"), "django"), Cell(direct("nsgi"), connections=500)]
  cells += [Cell(Route(server, "lighttpd", "uwsgi")) for server in ("nsgi", "uwsgi")]
  return cells + [Cell(Route("flup", "nginx", "fcgi"))]


def rungs(capacity: float, below: int, step: int = 1) -> list[float]:
  """The rates for a server that answers about `capacity` requests a second: from below it to far past it.

  - below: how many steps of the ladder are to lie below the capacity.
  """
  first = max((index for index, rate in enumerate(LADDER) if rate <= max(capacity, LADDER[0])), default=0)
  start = max(0, first - (below - 1) * step)
  return LADDER[start:first + 1 + 5 * step:step]
