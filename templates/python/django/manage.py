"""Commands of Django: venv/bin/python manage.py COMMAND."""
import os
import sys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "my_app.settings")

if __name__ == "__main__":
    from django.core.management import execute_from_command_line
    execute_from_command_line(sys.argv)
