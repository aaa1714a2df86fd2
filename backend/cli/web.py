"""`truestub web`: the web server (granian), which runs the application in processes of its own."""

import errno
import os
import socket

import typer
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server import Server

from backend.db.engine import is_missing
from backend.db.migrate import is_current
from backend.errors import refuse
from backend.i18n import gettext as _
from backend.settings import Settings, settings_from
from backend.wiring import open_database

HEADER_SECONDS = 10  # for a request's head to arrive, and for a connection to lie idle
CONNECTIONS = 2048  # at once; who comes later waits to be let in


def web() -> None:
    """Serve shop and API until stopped."""
    settings = settings_from(os.environ)
    require_current_schema(settings)
    require_free_port(settings)
    typer.echo(_("Shop and API on http://%(host)s:%(port)d") % {"host": settings.web_host, "port": settings.web_port})
    Server(
        "backend.app:serve_from_environment",
        factory=True,
        address=settings.web_host,
        port=settings.web_port,
        interface=Interfaces.RSGI,
        http=HTTPModes.http1,  # what proxies speak to us; one connection is one request at a time
        http1_settings=HTTP1Settings(header_read_timeout=1000 * HEADER_SECONDS),
        backlog=CONNECTIONS,
        backpressure=CONNECTIONS,
        workers=1,
        websockets=False,
    ).serve()


def require_current_schema(settings: Settings) -> None:
    """Refuse to serve a database that lacks tables."""
    if is_missing(settings.database_url):
        raise refuse("no_database", _("There is no database yet; run: truestub init, or truestub restore"))
    engine = open_database(settings)
    current = is_current(engine)
    engine.dispose()
    if not current:
        raise refuse("schema_behind", _("The database's schema is not this program's; run: truestub db upgrade"))


def require_free_port(settings: Settings) -> None:
    """Say in a sentence what binding would say in a stack trace."""
    with socket.socket(socket.AF_INET6 if ":" in settings.web_host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.web_host, settings.web_port))
        except OSError as error:
            words = {"host": settings.web_host, "port": settings.web_port}
            if error.errno == errno.EADDRINUSE:
                sentence = _("Another program uses port %(port)d of %(host)s; stop it or set TRUESTUB_WEB_PORT") % words
                raise refuse("port_in_use", sentence) from error
            sentence = _("Can't listen on %(host)s port %(port)d; set TRUESTUB_WEB_HOST and TRUESTUB_WEB_PORT") % words
            raise refuse("cannot_listen", sentence) from error
