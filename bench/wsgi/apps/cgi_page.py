"""cgi_page.py: the application that BENCH_MODULE names, as a CGI program: one process, one answer."""
import importlib
import os
from wsgiref.handlers import CGIHandler

CGIHandler().run(importlib.import_module(os.environ["BENCH_MODULE"]).application)
