"""A small page of Flask: a route, a template that inherits, loops, asks and escapes."""
from pathlib import Path

from flask import Flask, render_template

from products import PRODUCTS, TITLE

application = Flask(__name__, template_folder=Path(__file__).parent / "templates")


@application.get("/")
def page():
  """The list of products."""
  return render_template("flask_page.html", title=TITLE, products=PRODUCTS)
