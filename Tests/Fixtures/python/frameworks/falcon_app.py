"""Falcon: resources, media, streams."""
import io
import falcon


class Echo:
  def on_get(self, request, response):
    response.text = "Falcon says hello"

  def on_post(self, request, response):
    response.media = {"got": request.get_media(), "host": request.host}


class Stream:
  def on_get(self, request, response):
    response.stream = io.BytesIO(b"s" * 50_000)
    response.content_length = 50_000


app = application = falcon.App()
app.add_route("/", Echo())
app.add_route("/stream", Stream())
