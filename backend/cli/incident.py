"""`truestub incident`: what operators tell people, beside what is found by itself."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from sqlalchemy import Connection, Row

from backend.db.clock import now_ms
from backend.errors import refuse
from backend.i18n import gettext as _
from backend.notices.outbox import enqueue
from backend.ops import incident_store
from backend.ops.status import incident_now
from backend.settings import settings_from
from backend.wiring import open_database

COMPONENTS = ("sales", "payments", "signer", "chain", "gate_sync", "database", "disk")
MAX_CHARACTERS = 500  # of a text: it stands in a banner

app = typer.Typer(help="Tell people what is wrong, what is planned, and when it is over.", no_args_is_help=True)
_English = Annotated[str, typer.Option("--text", help="What to tell, in English.")]
_Chinese = Annotated[str | None, typer.Option("--text-zh", help="The same in Chinese.")]
_Component = Annotated[str, typer.Option(help="sales, payments, signer, chain, gate_sync, database or disk.")]
_Number = Annotated[int, typer.Argument(help="The incident's number.")]


@app.command()
def post(text: _English, text_zh: _Chinese = None, component: _Component = "sales", state: str = "waits") -> None:
    """Open an incident with your own words."""
    if state not in ("waits", "down"):
        raise refuse("bad_state", _("--state must be waits or down."))
    _checked(component, text, text_zh)
    number = _write(
        lambda connection: incident_store.post(
            connection, "posted", component, state, (text, text_zh), now_ms(connection)
        )
    )
    typer.echo(_("Incident %d is open; close it with: truestub incident close %d") % (number, number))


@app.command()
def edit(number: _Number, text: _English, text_zh: _Chinese = None) -> None:
    """Add to an incident in your own words; the newest words are what people see first."""
    _checked(None, text, text_zh)

    def say(connection: Connection) -> tuple[int, int]:
        found = _open(connection, number)
        note = incident_store.note(
            connection, number, now_ms(connection), "said", found.cause, found.facts, (text, text_zh)
        )
        return number, note

    _write(say)
    typer.echo(_("Incident %d says so now.") % number)


@app.command()
def close(number: _Number) -> None:
    """Say that a posted incident or announced work is over. Faults close by themselves."""

    def end(connection: Connection) -> tuple[int, int]:
        if _open(connection, number).kind == "fault":
            raise refuse("closes_by_itself", _("This fault closes by itself when all is well again."))
        return number, incident_store.close(connection, number, now_ms(connection))

    _write(end)
    typer.echo(_("Incident %d is over.") % number)


@app.command()
def announce(
    text: _English,
    begins: Annotated[str, typer.Option("--from", help="When the work begins: 2030-06-15T18:00+02:00")],
    until: Annotated[str, typer.Option("--until", help="When it ends, in the same form.")],
    text_zh: _Chinese = None,
    component: _Component = "sales",
) -> None:
    """Announce maintenance. It is told of from a day before, and is over by itself at its end."""
    _checked(component, text, text_zh)
    first, last = _moment("--from", begins), _moment("--until", until)

    def plan(connection: Connection) -> tuple[int, int]:
        now = now_ms(connection)
        if not first < last or last <= now:
            raise refuse("bad_times", _("The work must end after it begins, and not in the past."))
        return incident_store.post(connection, "maintenance", component, "waits", (text, text_zh), now, first, last)

    number = _write(plan)
    typer.echo(_("Announced as incident %d.") % number)


@app.command("list")
def list_incidents() -> None:
    """What is open or planned."""
    engine = open_database(settings_from(os.environ))
    with engine.connect() as connection:
        rows = incident_store.current(connection)
        views = [view for row in rows if (view := incident_now(connection, row.id))]
    engine.dispose()
    for view in views:
        typer.echo(f"{view['id']}  {view['kind']}  {view['component']}  {view['opened_at']}  {view['sentence']}")
    if not views:
        typer.echo(_("Nothing is open."))


def _write(change: Callable[[Connection], tuple[int, int]]) -> int:
    engine = open_database(settings_from(os.environ))
    try:
        with engine.begin() as connection:
            number, note = change(connection)
            enqueue(connection, [note])
    finally:
        engine.dispose()
    return number


def _open(connection: Connection, number: int) -> Row[Any]:
    found = incident_store.find(connection, number)
    if found is None or found.closed_ms is not None:
        raise refuse("unknown_incident", _("There is no open incident %d; see: truestub incident list") % number)
    return found


def _checked(component: str | None, *texts: str | None) -> None:
    if component is not None and component not in COMPONENTS:
        raise refuse("unknown_component", _("--component must be one of: %s") % ", ".join(COMPONENTS))
    if any(text is not None and not 0 < len(text.strip()) <= MAX_CHARACTERS for text in texts):
        raise refuse("bad_text", _("A text must have 1 to %d characters.") % MAX_CHARACTERS)


def _moment(option: str, text: str) -> int:
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise refuse("bad_times", _("%s must look like 2030-06-15T18:00+02:00") % option) from error
    return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
