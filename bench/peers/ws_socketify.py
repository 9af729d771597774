"""Says every message back, with uWebSockets under a handler in Python (socketify): ws_socketify.py PORT."""
import sys

from socketify import App, CompressOptions

app = App()
app.ws("/*", {"compression": CompressOptions.DISABLED, "max_payload_length": 16 << 20, "idle_timeout": 0,
              "message": lambda socket, message, opcode: socket.send(message, opcode)})
app.listen(int(sys.argv[1]), lambda config: None)
app.run()
