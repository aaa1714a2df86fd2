"""`truestub`: the operator's command line. Each command lives in a module of this folder and says what it did.

Output for people goes to standard output; errors go to standard error as `code: sentence`, with exit code 1.
"""

import importlib
import sys
from importlib.util import find_spec

import typer
from sqlalchemy.exc import OperationalError

from backend.errors import Refused, SettingError
from backend.i18n import gettext as _

COMMANDS = ("init", "web", "work", "up")  # modules whose function of the same name is the command
GROUPS = {  # name of the group -> module with an `app`
    "db": "db",
    "event": "event",
    "signer": "signer",
    "keys": "keys",
    "gate": "gates",
    "chain": "chain",
    "index": "index",
    "node": "node",
}

app = typer.Typer(
    name="truestub",
    help="Sell tickets, mint them, check them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


@app.callback()
def _truestub() -> None:
    # Keeps commands named even while only one of them is mounted.
    pass


def main() -> None:
    """Run the command line; what the operator can mend is one line on standard error."""
    _mount(sys.argv[1] if len(sys.argv) > 1 else "")
    try:
        app()
    except Refused as error:
        _fail(error.refusal.code, error.refusal.sentence)
    except SettingError as error:
        _fail(error.code, f"{error.name} {error.sentence}")
    except OperationalError as error:
        _fail("database_unreachable", _("The database does not answer as it should: %s") % error.orig)
    except OSError as error:
        _fail("system_error", f"{error.strerror or error}: {error.filename or ''}".rstrip(": "))


def _mount(wanted: str) -> None:
    """Import the wanted command alone, since all of them together take seconds; all if it is none of them."""
    chosen = {wanted} if wanted in (*COMMANDS, *GROUPS) else {*COMMANDS, *GROUPS}
    for name in COMMANDS:
        if name in chosen and find_spec(f"backend.cli.{name}"):
            app.command(name)(getattr(importlib.import_module(f"backend.cli.{name}"), name))
    for name, module in GROUPS.items():
        if name in chosen and find_spec(f"backend.cli.{module}"):
            app.add_typer(importlib.import_module(f"backend.cli.{module}").app, name=name)


def _fail(code: str, sentence: str) -> None:
    print(f"{code}: {' '.join(sentence.split())}", file=sys.stderr)  # noqa: T201 - the terminal
    sys.exit(1)
