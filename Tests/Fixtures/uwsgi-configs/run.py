"""The same as a file."""
from shop.wsgi import application

app = application
