"""`truestub up`: signer, worker and web server of one host, started and kept running by one command."""

import os
import signal
import sys
from threading import Event

import typer
from rich.console import Console

from backend.cli.web import require_free_port
from backend.i18n import gettext as _
from backend.notices.operators import require_services
from backend.ops.sensor_file import sensors_of
from backend.ops.supervise import Program, supervise
from backend.settings import settings_from


def up() -> None:
    """Start signer, worker and web server, and keep them running until Ctrl-C."""
    settings = settings_from(os.environ)  # what only a person can mend is said once, before anything starts
    sensors_of(settings.data_dir)
    require_services(settings.alert_urls)
    require_free_port(settings)
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_ignored: stop.set())
    console = Console(stderr=True)

    def say(name: str, what: str, number: int) -> None:
        if what == "started":
            console.print(_("%(name)s started (process %(number)d)") % {"name": name, "number": number})
        else:
            text = _("%(name)s ended with code %(number)d; starting it again") % {"name": name, "number": number}
            console.print(text, style="yellow")

    supervise([_program(name) for name in ("signer", "work", "web")], stop, None, say)
    raise typer.Exit


def _program(name: str) -> Program:
    # An interpreter's death signal is lost through a shell or a script wrapper, so it is started directly.
    command = [sys.executable, "-m", "backend", *(["signer", "run"] if name == "signer" else [name])]
    return Program(name, command, dict(os.environ))
