"""Hello world in Flask, for the Python peers."""
from flask import Flask

application = Flask(__name__)


@application.get("/")
def hello():
  """As in Flask's own first example."""
  return "Hello World\n", {"Content-Type": "text/plain"}
