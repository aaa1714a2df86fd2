"""`truestub`: the operator's command line. Each command lives in a module of this folder and says what it did.

Output for people goes to standard output; errors go to standard error as `code: sentence`. Exit codes: 0 done, 1 not
done, 2 wrong usage or a setting that can't work, 130 interrupted.
"""

import errno
import importlib
import os
import signal
import sqlite3
import sys
import traceback
from pathlib import Path

import typer
from sqlalchemy.exc import OperationalError

from backend.db.failures import failure_of
from backend.errors import Refused, SettingError
from backend.i18n import gettext as _
from backend.ops.disk import is_full
from backend.setting_values import PREFIX
from backend.settings import DEFAULT_DATA_DIR

COMMANDS = (
    "init",
    "web",
    "work",
    "up",
    "check",
    "doctor",
    "restore",
    "reconcile",
    "drill",
)  # modules whose function of the same name is the command
GROUPS = {  # name of the group -> module with an `app`
    "db": "db",
    "desk": "desk",
    "event": "event",
    "ledger": "ledger",
    "code": "codes",
    "privacy": "privacy",
    "signer": "signer",
    "keys": "keys",
    "gate": "gates",
    "chain": "chain",
    "index": "index",
    "node": "node",
    "incident": "incident",
    "backup": "backup",
}
EXIT_DONE, EXIT_FAILED, EXIT_USAGE = range(3)

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


def main(*, interruptible: bool = False) -> int:
    """Run the command line; its exit code. What the operator can mend is one line on standard error."""
    _mount(sys.argv[1] if len(sys.argv) > 1 else "")
    if interruptible:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        code = app(prog_name="truestub", standalone_mode=False)
    except Exception as error:
        number = _say(error)
        if number is None and sys.flags.dev_mode:
            raise
        return _ours(error) if number is None else number
    return code if isinstance(code, int) else EXIT_DONE


def _say(error: Exception) -> int | None:
    """What went wrong, in a line; the exit code. None if it is a mistake of ours."""
    match error:
        case typer.TyperException():
            number = _usage(error.format_message())
        case typer.Abort():
            number = _fail("aborted", _("Nothing was done."))
        case Refused():
            number = _fail(error.refusal.code, error.refusal.sentence)
        case SettingError():
            _fail(error.code, f"{error.name} {error.sentence}")
            number = EXIT_USAGE
        case OperationalError() | sqlite3.Error():
            number = _database(error)
        case OSError():
            number = _system(error)
        case _:
            return None
    return number


def _mount(wanted: str) -> None:
    """Import the wanted command alone, since all of them together take seconds; all if it is none of them."""
    chosen = {wanted} if wanted in (*COMMANDS, *GROUPS) else {*COMMANDS, *GROUPS}
    for name in COMMANDS:
        if name in chosen:
            app.command(name)(getattr(importlib.import_module(f"backend.cli.{name}"), name))
    for name, module in GROUPS.items():
        if name in chosen:
            app.add_typer(importlib.import_module(f"backend.cli.{module}").app, name=name)


def _usage(message: str) -> int:
    if not message:  # asked with nothing at all: the help has been printed
        return EXIT_USAGE
    _fail("bad_arguments", _("%s. See: truestub --help") % message.strip().rstrip("."))
    return EXIT_USAGE


def _database(error: OperationalError | sqlite3.Error) -> int:
    if failure_of(error) == "storage_full" or _full_here():
        return _disk_full()
    cause = error.orig if isinstance(error, OperationalError) else error
    return _fail("database_unreachable", _("The database does not answer as it should: %s") % cause)


def _system(error: OSError) -> int:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return _disk_full()
    return _fail("system_error", f"{error.strerror or error}: {error.filename or ''}".rstrip(": "))


def _ours(error: Exception) -> int:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{type(error).__name__}, {Path(frame.filename).name}:{frame.lineno}"
    sentence = _("A mistake in this program (%s). Run it again with PYTHONDEVMODE=1 and report what it says.")
    return _fail("internal_error", sentence % where)


def _disk_full() -> int:
    return _fail("storage_full", _("The disk is full. Make room and run the same command again; nothing is lost."))


def _full_here() -> bool:
    """SQLite calls a full disk an I/O error when it has no room for its own bookkeeping."""
    return is_full(os.environ.get(PREFIX + "DATA_DIR", DEFAULT_DATA_DIR))


def _fail(code: str, sentence: str) -> int:
    print(f"{code}: {' '.join(sentence.split())}", file=sys.stderr)  # noqa: T201 - the terminal
    return EXIT_FAILED
