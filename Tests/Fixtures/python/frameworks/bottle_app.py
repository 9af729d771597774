"""Bottle: routes, forms, static files, generators."""
import os
import bottle

app = application = bottle.Bottle()


@app.get("/")
def index():
  return "Bottle says hello"


@app.post("/form")
def form():
  return {"name": bottle.request.forms.name, "size": len(bottle.request.files.file.file.read())}


@app.get("/file")
def file():
  name, root = os.path.basename(__file__), os.path.dirname(__file__)
  return bottle.static_file(name, root=root, mimetype="text/plain")


@app.get("/stream")
def stream():
  bottle.response.content_type = "text/plain"
  yield "a"
  yield "b"
