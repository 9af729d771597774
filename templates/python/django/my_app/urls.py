"""Which function answers which path."""
from django.contrib import admin
from django.http import HttpResponse
from django.urls import path


def hello(request):
    return HttpResponse("Hello World!\n", content_type="text/plain; charset=utf-8")


urlpatterns = [path("", hello), path("admin/", admin.site.urls)]
