"""Flask: routes, forms, streaming, files, sessions, errors."""
import io

from flask import Flask, Response, abort, request, send_file, session, stream_with_context

app = application = Flask(__name__)
app.secret_key = "test"


@app.route("/")
def index():
  return "Flask says hello"


@app.route("/form", methods=["POST"])
def form():
  files = {name: len(part.read()) for name, part in request.files.items()}
  return {"form": request.form.to_dict(), "files": files, "root": request.script_root, "path": request.path}


@app.route("/stream")
def stream():
  @stream_with_context
  def blocks():
    for number in range(5):
      yield f"{request.args['word']}{number}\n"
  return Response(blocks(), mimetype="text/plain")


@app.route("/file")
def file():
  return send_file(__file__, mimetype="text/plain", conditional=True)


@app.route("/memory")
def memory():
  return send_file(io.BytesIO(b"m" * 100_000), mimetype="application/octet-stream")


@app.route("/count")
def count():
  session["count"] = session.get("count", 0) + 1
  return str(session["count"])


@app.route("/json", methods=["PUT"])
def json():
  return request.get_json()


@app.route("/abort")
def stop():
  abort(418)


@app.route("/fail")
def fail():
  raise RuntimeError("flask fails")
