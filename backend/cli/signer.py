"""`truestub signer`: the process that holds the private keys."""

import os
import signal
from threading import Event

import typer

from backend import killpoints
from backend.clock import system_clock
from backend.credentials.keystore import KeyStore
from backend.credentials.signer import Signer, serve
from backend.i18n import gettext as _
from backend.logs import configure_logs
from backend.settings import settings_from
from backend.wiring import open_database

PATIENCE_SECONDS = 8.0  # with the database; who asked waits for ten

app = typer.Typer(help="The process that holds the private keys.", no_args_is_help=True)


@app.callback()
def _signer() -> None:
    pass


@app.command()
def run() -> None:
    """Answer requests on the socket in the data folder until stopped."""
    settings = settings_from(os.environ)
    killpoints.arm(settings.kill_at)
    configure_logs("signer")
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_ignored: stop.set())
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    keys = KeyStore(settings.keys_dir)
    engine = open_database(settings, PATIENCE_SECONDS)
    try:
        words = _("Signer on %s") % settings.signer_socket
        serve(Signer(engine, keys, system_clock), settings.signer_socket, stop, lambda: typer.echo(words))
    finally:
        engine.dispose()
