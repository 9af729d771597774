"""`--check`: every route once with every application: started, asked, its body compared, stopped."""
import sys
import time

from running import ServerError
from wsgi.chain import APPLICATIONS, Chain, Route, routes
from wsgi.servers import SERVERS, python_version


def check_route(route: Route, apps: list[str]) -> str | None:
  """Why a route does not answer as it should, or None."""
  lack = SERVERS[route.server].lacks()
  if lack:
    return lack
  for app in apps:
    try:
      with Chain(route, app) as chain:
        chain.ask_until_answered()
    except (ServerError, OSError) as error:
      return f"{app}: {error}"
  return None


def table(results: dict[Route, str | None]) -> str:
  """A line for each server: its version, and what it answered by."""
  lines = ["| server | version | answers over | not |", "|---|---|---|---|"]
  for name, server in SERVERS.items():
    of_server = {route: why for route, why in results.items() if route.server == name}
    good = [f"{route.front} {route.protocol}" for route, why in of_server.items() if why is None]
    bad = sorted({f"{route.front} {route.protocol}: {why}" for route, why in of_server.items() if why})
    if of_server:
      version = (server.version() if server.lacks() is None else None) or "not installed"
      lines.append(f"| {server.title} | {version} | {', '.join(good)} | {'; '.join(bad)} |")
  return "\n".join(lines)


def check(names: list[str], apps: list[str] | None = None) -> int:
  """All of it; how many routes did not answer."""
  results: dict[Route, str | None] = {}
  for route in routes():
    if names and route.server not in names and route.name not in names:
      continue
    began = time.monotonic()
    why = check_route(route, apps or list(APPLICATIONS))
    results[route] = why
    took = time.monotonic() - began
    print(f"{route.name:32} {took:5.1f} s  {why or 'answers'}", file=sys.stderr, flush=True)
  print(f"Python {python_version()}\n\n{table(results)}")
  return sum(why is not None for why in results.values())
