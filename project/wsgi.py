"""The WSGI application, for gunicorn."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from project.configuration.start import load_settings

Environ = dict[str, Any]
App = Callable[[Environ, Any], Iterable[bytes]]
GUNICORN_GIVES_UP = 3
"""The exit code of a worker after which gunicorn ends, instead of starting it again and again."""


def below(prefix: str, app: App) -> App:
    """`app` for requests whose path may begin with `prefix`: not every proxy takes that off."""

    def application(environ: Environ, start_response: Any) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == prefix or path.startswith(f"{prefix}/"):
            environ["PATH_INFO"] = path.removeprefix(prefix) or "/"
        return app(environ, start_response)

    return application


load_settings(GUNICORN_GIVES_UP)
application = below(settings.FORCE_SCRIPT_NAME or "", get_wsgi_application())
