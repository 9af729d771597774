"""Says every message back, with PyPI's websockets: ws_websockets.py PORT."""
import asyncio
import sys

import uvloop
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed


async def echo(connection):
  """One client, until it goes."""
  try:
    async for message in connection:
      await connection.send(message)
  except ConnectionClosed:
    pass


async def main():
  """Serves until it is killed."""
  # As the others: no compression, no pings.
  async with serve(echo, "127.0.0.1", int(sys.argv[1]), compression=None, ping_interval=None, backlog=4096):
    await asyncio.get_running_loop().create_future()


uvloop.run(main())
