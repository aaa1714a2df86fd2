"""Put a backup back: database and keys, with sales closed until `reconcile` has compared it with the world outside."""

import os
from pathlib import Path
from typing import Any
from uuid import UUID

from nacl.public import PrivateKey
from sqlalchemy import Connection, select, update
from sqlalchemy.engine import make_url

from backend.chain.cancelled import is_cancelled
from backend.credentials.private_files import sync_folder
from backend.db.clock import now_ms
from backend.db.engine import make_engine
from backend.db.migrate import upgrade
from backend.db.tables.chain import Lease
from backend.db.tables.events import Event, Platform
from backend.db.tables.restores import Restore, waiting
from backend.db.upsert import insert_missing
from backend.errors import refuse
from backend.i18n import gettext as _
from backend.ops.backup import require_empty, restore_database, unpack_backup
from backend.ops.scratch import scratch_folder
from backend.privacy import erased
from backend.settings import Settings

# What `mark` does, for the one transaction in which psql restores: on sale and unmarked, it is never seen by anyone.
# pg_restore's own output empties the search path before.
_MARK = """
UPDATE public.platform SET restored = json_build_object(
  'at_ms', floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint,
  'made_at', %d,
  'events', (SELECT coalesce(json_agg(replace(id::text, '-', '')), '[]') FROM public.events WHERE state = 'on_sale'));
UPDATE public.events SET state = 'paused' WHERE state = 'on_sale';
UPDATE public.leases SET expires_ms = 0;
"""


def restore(settings: Settings, file: Path, key: PrivateKey) -> dict[str, Any]:
    """Restore into the database and the key folder that `settings` name; the backup's manifest. Nothing is overwritten.

    It is marked before anyone can see it: events on sale are paused, and workers only tell people, until `reconcile`.
    """
    require_empty(settings.database_url)  # said before the long work too
    with scratch_folder(settings.data_dir, "restore") as scratch:
        unpacked = scratch / "unpacked"
        manifest = unpack_backup(file, key, unpacked)
        if manifest["engine"] != make_url(settings.database_url).get_backend_name():
            sentence = _("This is a backup of %s: set TRUESTUB_DATABASE_URL to an address of that kind.")
            raise refuse("other_engine", sentence % manifest["engine"])
        erased.bring(file.parent, settings.data_dir)
        keys = unpacked / "keys"
        if settings.keys_dir.exists() and any(settings.keys_dir.iterdir()):
            if not _same(keys, settings.keys_dir):
                sentence = _("There are other keys already; move %s away first. Nothing was changed.")
                raise refuse("keys_exist", sentence % settings.keys_dir)
        elif keys.exists():
            # Before the database: without its keys one that is there would be given new ones.
            keys.chmod(0o700)
            os.sync()
            keys.rename(settings.keys_dir)
            sync_folder(settings.data_dir)
        made_at = int(str(manifest["made_at"]))
        if manifest["engine"] == "sqlite":
            _mark_copy(unpacked / "database.sqlite", made_at)
        restore_database(unpacked, settings.database_url, also=_MARK % made_at)
    engine = make_engine(settings.database_url)
    try:
        upgrade(engine)
        with engine.begin() as connection:
            note(connection)
    finally:
        engine.dispose()
    return manifest


def _mark_copy(database: Path, made_at: int) -> None:
    engine = make_engine(f"sqlite:///{database}")
    try:
        upgrade(engine)
        with engine.begin() as connection:
            mark(connection, made_at)
            connection.execute(update(Lease).values(expires_ms=0))  # of workers that run elsewhere, or no more
    finally:
        engine.dispose()


def mark(connection: Connection, made_at: int) -> None:
    """Close sales until the database is reconciled with what happened since `made_at` (Unix seconds)."""
    events = connection.scalars(select(Event.id).where(Event.state == "on_sale")).all()
    restored = {"at_ms": now_ms(connection), "made_at": made_at, "events": [one.hex for one in events]}
    connection.execute(update(Platform).values(restored=restored))
    connection.execute(update(Event).where(Event.id.in_(events)).values(state="paused"))
    note(connection)


def note(connection: Connection) -> None:
    """Book the restore that the mark tells of, so that numbers given since are stepped over; again does nothing."""
    found = waiting(connection)
    if found is not None:
        insert_missing(connection, Restore, [{"at_ms": found["at_ms"], "made_ms": 1000 * found["made_at"]}])


def unmark(connection: Connection) -> int:
    """Sales may open: the events that were on sale are again, but for those cancelled on the chain; how many."""
    found = waiting(connection) or {"events": []}
    events = [event for one in found["events"] if not is_cancelled(connection, event := UUID(one))]
    opened = update(Event).where(Event.id.in_(events), Event.state == "paused").values(state="on_sale")
    count = connection.execute(opened).rowcount
    connection.execute(update(Platform).values(restored=None))
    connection.execute(update(Restore).where(Restore.done_ms.is_(None)).values(done_ms=now_ms(connection)))
    return count


def _same(one: Path, other: Path) -> bool:
    contents = [{path.name: path.read_bytes() for path in keys.rglob("*") if path.is_file()} for keys in (one, other)]
    return contents[0] == contents[1]
