from collections.abc import Callable, Iterable, Sequence
from typing import Any

__all__ = ["WSGIServer"]

class WSGIServer:
  application: Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
  bindAddress: tuple[str, int] | str | None
  protocol: str
  options: list[str]
  def __init__(
    self,
    application: Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]],
    bindAddress: tuple[str, int] | str | None = None,
    protocol: str = "fastcgi",
    options: Sequence[str] = (),
    **_: Any,
  ) -> None: ...
  def run(self) -> None: ...
  def is_started_by_a_server(self) -> bool: ...
  def arguments(self) -> list[str]: ...
