"""my_app, an application in Flask: `make serve` starts it."""
from flask import Flask

app = Flask(__name__)


@app.get("/")
def hello():
    return "Hello World!\n", {"Content-Type": "text/plain; charset=utf-8"}
