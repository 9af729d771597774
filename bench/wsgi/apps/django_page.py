"""The same page of Django: its usual middleware that needs no database, a URL, a template."""
from pathlib import Path

import django
from django.conf import settings

from products import PRODUCTS, TITLE

settings.configure(
  DEBUG=False, SECRET_KEY="of a benchmark: signs nothing", ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__,
  LOGGING_CONFIG=None, DEFAULT_CHARSET="utf-8", USE_TZ=True,
  MIDDLEWARE=["django.middleware.security.SecurityMiddleware", "django.middleware.common.CommonMiddleware",
              "django.middleware.csrf.CsrfViewMiddleware",
              "django.middleware.clickjacking.XFrameOptionsMiddleware"],
  TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates",
              "DIRS": [Path(__file__).parent / "templates"]}])
django.setup()

from django.core.wsgi import get_wsgi_application  # noqa: E402 - settings come first
from django.shortcuts import render  # noqa: E402
from django.urls import path  # noqa: E402


def page(request):
  """The list of products."""
  return render(request, "django_page.html", {"title": TITLE, "products": PRODUCTS})


urlpatterns = [path("", page)]
application = get_wsgi_application()
