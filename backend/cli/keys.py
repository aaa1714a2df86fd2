"""`truestub keys`: the root keys and the key list, which says whom gates trust."""

import json
import os
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from nacl.signing import SigningKey
from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine, Row, select

from backend.credentials.key_lists import Roots
from backend.credentials.keystore import KeyRole
from backend.credentials.published import newest_key_list
from backend.credentials.publishing import Published, publish, revoke, rotate, trust_root
from backend.credentials.root_files import DEFAULT_NAME, create_root, load_roots
from backend.credentials.signer_client import SignerClient
from backend.db.engine import read
from backend.db.tables.events import Event
from backend.errors import refuse
from backend.i18n import gettext as _
from backend.settings import Settings, settings_from
from backend.wiring import open_database
from credential.keylist import Reason
from credential.signing import public_key_of

app = typer.Typer(help="The root keys, and the key list that gates trust.", no_args_is_help=True)

Slug = Annotated[str, typer.Argument(help="the event's slug")]
RootFiles = Annotated[list[Path] | None, typer.Option("--root", help="a root key's file; several may be given")]


class Why(StrEnum):
    """Why a key is revoked."""

    ROTATED = "rotated"  # what it signed so far holds
    COMPROMISED = "compromised"  # nothing it signed holds


class Role(StrEnum):
    """Whose key is rotated."""

    ISSUING = "issuing"
    BUNDLE = "bundle"


@app.command("init-root")
def init_root(file: Annotated[Path | None, typer.Option(help="where; by default in the data folder")] = None) -> None:
    """Make a root key. In production keep the file on a medium of its own, and a copy of it elsewhere."""
    settings = settings_from(os.environ)
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = file or settings.data_dir / DEFAULT_NAME
    public = create_root(path)
    typer.echo(_("Root key %(public)s in %(path)s") % {"public": public.hex(), "path": path})
    typer.echo(_("Keep a copy where the servers are not: without it, gates can't be told of new keys."))


@app.command("publish")
def publish_list(
    root: RootFiles = None,
    new_root: Annotated[
        list[Path] | None, typer.Option("--new-root", help="who signs from now on; the old roots sign this one too")
    ] = None,
    threshold: Annotated[int | None, typer.Option(min=1, help="how many roots it takes; by default all")] = None,
) -> None:
    """Sign and publish the key list with every event's keys; does nothing if it would say the same as the last."""
    _settings, engine, signers = _open(root)
    roots = None
    if new_root or threshold:
        chosen = load_roots(new_root or []) or signers
        signers += [one for one in chosen if one not in signers]
        roots = Roots(threshold or len(chosen), tuple(public_key_of(one) for one in chosen))
    _say(publish(engine, signers, roots))
    engine.dispose()


@app.command("rotate")
def rotate_key(slug: Slug, role: Annotated[Role, typer.Argument()], root: RootFiles = None) -> None:
    """Give an event a new key and retire the old one; what the old one signed goes on holding."""
    settings, engine, signers = _open(root)
    client = SignerClient(settings.signer_socket)
    _say(rotate(engine, client, signers, event_by_slug(engine, slug).id, KeyRole(role.value)))
    engine.dispose()


@app.command("revoke")
def revoke_key(
    key: Annotated[str, typer.Argument(help="the key's id, 8 hex digits, as in keys list")],
    reason: Annotated[Why, typer.Option(help="compromised voids everything the key ever signed")],
    root: RootFiles = None,
) -> None:
    """Revoke a key. Give the event a new one with `keys rotate` first, or right after."""
    try:
        wanted = bytes.fromhex(key)
    except ValueError:
        raise refuse("bad_key_id", _("A key's id is 8 hex digits; see: truestub keys list")) from None
    _settings, engine, signers = _open(root)
    _say(revoke(engine, signers, wanted, Reason[reason.name]))
    engine.dispose()


@app.command("root")
def root_json() -> None:
    """Print the trust root that a new gate is set up with, as JSON (SPEC 5.1)."""
    engine = open_database(settings_from(os.environ))
    root = trust_root(engine)
    engine.dispose()
    keys = [key.hex() for key in root.root_keys]
    typer.echo(json.dumps({"platform_id": root.platform_id.hex(), "threshold": root.threshold, "root_keys": keys}))


@app.command("list")
def list_keys() -> None:
    """Show the key list in force."""
    engine = open_database(settings_from(os.environ))
    with read(engine) as connection:
        known = newest_key_list(connection)
        slugs = dict(connection.execute(select(Event.tag, Event.slug)).all())
    engine.dispose()
    if known is None:
        raise refuse("no_key_list", _("No key list is published yet; run: truestub keys publish"))
    table = Table(_("key"), _("role"), _("event"), _("good from"), _("until"), _("revoked"))
    for entry in known.entries:
        revoked = f"{entry.reason.name.lower()} {_day(entry.revoked_at)}" if entry.revoked_at else ""
        event = slugs.get(entry.event_tag or b"", _("all"))
        dates = _day(entry.not_before), _day(entry.not_after)
        table.add_row(entry.key_id.hex(), entry.role.name.lower(), event, *dates, revoked)
    Console().print(table)
    words = {"version": known.version, "until": _day(known.expires), "count": known.threshold}
    typer.echo(_("Version %(version)d, good until %(until)s, signed by %(count)d root(s)") % words)


def event_by_slug(engine: Engine, slug: str) -> Row[Any]:
    """The event's row; refuses `unknown_event`."""
    with read(engine) as connection:
        found = connection.execute(select(Event).where(Event.slug == slug)).one_or_none()
    if found is None:
        raise refuse("unknown_event", _("There is no event %s; see its file for the slug") % slug)
    return found


def _open(root: list[Path] | None) -> tuple[Settings, Engine, list[SigningKey]]:
    settings = settings_from(os.environ)
    return settings, open_database(settings), load_roots(root or [settings.data_dir / DEFAULT_NAME])


def _say(published: Published) -> None:
    known = published.key_list
    words = {"version": known.version, "keys": len(known.entries), "until": _day(known.expires)}
    if published.changed:
        typer.echo(_("Key list %(version)d published: %(keys)d key(s), good until %(until)s") % words)
    else:
        typer.echo(_("Key list %(version)d says it all already; it is good until %(until)s") % words)


def _day(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")
