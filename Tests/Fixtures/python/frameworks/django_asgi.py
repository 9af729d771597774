# Django's ASGI handler: sync and async views, streams, uploads, files.
import asyncio, sys, threading

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import FileResponse, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path

settings.configure(
    DEBUG=False, SECRET_KEY="no secret", ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"],
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
    CHANNEL_LAYERS={"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}})

async def index(request):
    await asyncio.sleep(0)
    return HttpResponse("Django says hello, asynchronously")

def sync(request):
    return JsonResponse({"other": threading.current_thread().name not in ("nsgi-asgi", "MainThread")})

async def stream(request):
    async def lines():
        for number in range(5):
            yield f"{number}\n"
            await asyncio.sleep(0.01)
    return StreamingHttpResponse(lines())

def file(request):
    return FileResponse(open(__file__, "rb"))

def upload(request):
    return JsonResponse({name: file.size for name, file in request.FILES.items()})

async def fail(request):
    raise RuntimeError("django fails")

urlpatterns = [path("", index), path("sync", sync), path("stream", stream), path("file", file),
               path("upload", upload), path("fail", fail)]
application = get_asgi_application()
