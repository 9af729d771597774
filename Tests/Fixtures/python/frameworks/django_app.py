"""Django's tutorial in one file: a poll in SQLite, the admin behind its login, static files."""
import os
import sys
import django
from django.conf import settings
from django.core.management import call_command

DATABASE = os.environ["DJANGO_DATABASE"]
settings.configure(
  DEBUG=True, SECRET_KEY="test", ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, USE_TZ=True,
  STATIC_URL="/static/", DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
  DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": DATABASE}},
  INSTALLED_APPS=["django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes",
                  "django.contrib.sessions", "django.contrib.messages", "django.contrib.staticfiles"],
  MIDDLEWARE=["django.middleware.security.SecurityMiddleware",
              "django.contrib.sessions.middleware.SessionMiddleware",
              "django.middleware.common.CommonMiddleware", "django.middleware.csrf.CsrfViewMiddleware",
              "django.contrib.auth.middleware.AuthenticationMiddleware",
              "django.contrib.messages.middleware.MessageMiddleware"],
  TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True,
              "OPTIONS": {"context_processors": ["django.template.context_processors.request",
                                                 "django.contrib.auth.context_processors.auth",
                                                 "django.contrib.messages.context_processors.messages"]}}])
django.setup()

from django.contrib import admin
from django.contrib.auth.models import User
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.wsgi import get_wsgi_application
from django.http import FileResponse, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt


def index(request):
  return HttpResponse(f"Django says hello to {User.objects.count()} user")


def stream(request):
  return StreamingHttpResponse((f"{number}\n" for number in range(5)), content_type="text/plain")


def file(request):
  return FileResponse(open(__file__, "rb"), content_type="text/plain")


def upload(request):
  return JsonResponse({name: part.size for name, part in request.FILES.items()})


urlpatterns = [path("", index), path("stream", stream), path("file", file),
               path("upload", csrf_exempt(upload)),
               path("admin/", admin.site.urls)]

if not os.path.exists(DATABASE):
  call_command("migrate", verbosity=0)
  User.objects.create_superuser("admin", "admin@example.org", "secret")
app = application = StaticFilesHandler(get_wsgi_application())
