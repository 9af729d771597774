"""The same as a file of another ending."""
from shop.wsgi import application
