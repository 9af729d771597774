# Channels: its router for HTTP, in front of Django and of a consumer.
import django_asgi
from channels.generic.http import AsyncHttpConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.urls import re_path

class Hello(AsyncHttpConsumer):
    async def handle(self, body):
        await self.send_response(200, b"Channels got %d bytes" % len(body),
                                 headers=[(b"Content-Type", b"text/plain")])

application = ProtocolTypeRouter({
    "http": URLRouter([re_path(r"^consumer$", Hello.as_asgi()), re_path(r"", django_asgi.application)])})
