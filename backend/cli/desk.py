"""`truestub desk`: the organiser's desk from the operator's side. What is done here is in the audit log as well."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from sqlalchemy import Engine

from backend.desk import accounts
from backend.desk.audit import COMMAND_LINE, Broken, Head, verify
from backend.desk.passwords import MAX_CHARACTERS
from backend.desk.roles import ROLES
from backend.errors import refuse
from backend.gates.page_code import draw
from backend.i18n import gettext as _
from backend.sales.installation import installation_secret
from backend.settings import settings_from
from backend.wiring import open_database

app = typer.Typer(help="The organiser's desk.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="small letters, digits, dots and hyphens, such as anna")]
Role = Annotated[str, typer.Option("--role", help=" | ".join(ROLES))]
FromInput = Annotated[bool, typer.Option("--password-stdin", help="read the password from standard input")]


@app.command("add-user")
def add_user(name: Name, role: Role, password_stdin: FromInput = False) -> None:
    """Let somebody work at the desk. Shows the second factor's set-up code, once."""
    password = _password(password_stdin)
    with _platform() as (engine, secret):
        _say(accounts.add_account(engine, secret, COMMAND_LINE, name, role, password))


@app.command("renew-user")
def renew_user(name: Name, password_stdin: FromInput = False) -> None:
    """Give somebody a new password and a new second factor; ends their sessions."""
    password = _password(password_stdin)
    with _platform() as (engine, secret):
        _say(accounts.renew_account(engine, secret, COMMAND_LINE, name, password))


@app.command("close-user")
def close_user(name: Name) -> None:
    """Let nobody in by this account any more."""
    with _platform() as (engine, secret):
        accounts.close_account(engine, secret, COMMAND_LINE, name)
    typer.echo(_("The account %s is closed.") % name)


@app.command()
def audit(
    is_verify: Annotated[bool, typer.Option("--verify", help="check the chain from its first entry")] = False,
    earlier: Annotated[str, typer.Option("--head", help="NUMBER:SEAL that an earlier check printed")] = "",
) -> None:
    """Check the audit log; exit code 1 if it was tampered with."""
    if not is_verify and not earlier:
        raise refuse("nothing_wanted", _("Say what to do: truestub desk audit --verify"))
    with _platform() as (engine, secret):
        found = verify(engine, secret, _head(earlier) if earlier else None)
    if isinstance(found, Broken):
        words = {
            "missing": _("entry %d is missing"),
            "altered": _("entry %d is not as it was written"),
            "cut": _("entries from number %d on were cut off"),
        }
        raise refuse("audit_log_broken", _("The audit log was tampered with: ") + words[found.why] % found.number)
    typer.echo(_("The audit log is whole: %d entries. To find out later whether it was cut, keep this:") % found.number)
    typer.echo(f"{found.number}:{found.seal.hex()}")


@contextmanager
def _platform() -> Iterator[tuple[Engine, bytes]]:
    settings = settings_from(os.environ)
    engine = open_database(settings)
    try:
        yield engine, installation_secret(settings.keys_dir)
    finally:
        engine.dispose()


def _password(from_input: bool) -> str:
    if from_input:
        return sys.stdin.readline(MAX_CHARACTERS + 2).rstrip("\r\n")
    password: str = typer.prompt(_("Password"), hide_input=True, confirmation_prompt=True)
    return password


def _say(made: accounts.SetUp) -> None:
    typer.echo(
        _("%s may sign in at /desk. Set this up in an authenticator app now; it is shown this once:") % made.name
    )
    if sys.stdout.isatty():
        draw(made.address)
    typer.echo(made.key)


def _head(text: str) -> Head:
    number, _colon, seal = text.partition(":")
    try:
        return Head(int(number), bytes.fromhex(seal))
    except ValueError as error:
        raise refuse("bad_head", _("Write --head as it was printed, like 12:ab34...")) from error
