"""A site that says hello, and its path."""
import os


def application(environ, start_response):
    words = [
        "hello", environ.get("SCRIPT_NAME", ""), environ["PATH_INFO"], os.environ.get("STAGE", ""),
        "threads" if environ["wsgi.multithread"] else "alone"]
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [" ".join(words).encode()]


app = application


def create_app():
    return application
