from __future__ import annotations

from django.core.wsgi import get_wsgi_application

from project.configuration.start import load_settings

GUNICORN_GIVES_UP = 3
"""The exit code of a worker after which gunicorn ends, instead of starting it again and again."""

load_settings(GUNICORN_GIVES_UP)
application = get_wsgi_application()
