"""Says every message back, with PyPI's picows: ws_picows.py PORT."""
import sys

from picows import WSListener, WSMsgType, ws_create_server
import uvloop


class Echo(WSListener):
  """One client."""

  def on_ws_frame(self, transport, frame):
    """Takes a whole message for each frame."""
    if frame.msg_type in (WSMsgType.TEXT, WSMsgType.BINARY):
      transport.send(frame.msg_type, frame.get_payload_as_bytes())


async def main():
  """Serves until it is killed."""
  server = await ws_create_server(lambda request: Echo(), "127.0.0.1", int(sys.argv[1]), backlog=4096)
  await server.serve_forever()


uvloop.run(main())
