"""The drill: put a backup back somewhere else, and prove that it is whole. What was never tried is no backup."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nacl.public import PrivateKey
from sqlalchemy import select
from sqlalchemy.engine import make_url

from backend.db.engine import make_engine, read
from backend.db.migrate import upgrade
from backend.db.models import Platform
from backend.errors import refuse
from backend.i18n import gettext as _
from backend.ops.backup import SUFFIX, restore_database, unpack_backup
from backend.ops.check import Checked, check_rows


@dataclass(frozen=True, slots=True)
class Drilled:
    """What the drill found."""

    file: Path
    manifest: dict[str, Any]
    checked: Checked


def newest_backup(folder: Path) -> Path:
    """The newest backup of a folder; refuses if there is none."""
    found = sorted(folder.glob(f"*{SUFFIX}"))
    if not found:
        raise refuse("no_backup", _("There is no backup in %s; run: truestub backup") % folder)
    return found[-1]


def drill(file: Path, key: PrivateKey, scratch_url: str | None = None) -> Drilled:
    """Restore `file` into a scratch place, check every promise, and leave nothing behind.

    A PostgreSQL backup needs `scratch_url`: an empty database of its own, which is emptied again by its owner.
    """
    with tempfile.TemporaryDirectory(prefix="truestub-drill-") as scratch:
        unpacked = Path(scratch) / "unpacked"
        manifest = unpack_backup(file, key, unpacked)
        url = scratch_url
        if manifest["engine"] == "sqlite":
            url = f"sqlite:///{scratch}/drill.sqlite"
        elif url is None or make_url(url).get_backend_name() != "postgresql":
            raise refuse("scratch_missing", _("Name an empty PostgreSQL database with --scratch; it is filled"))
        restore_database(unpacked, url)
        engine = make_engine(url)
        try:
            upgrade(engine)
            with read(engine) as connection:
                if connection.scalar(select(Platform.platform_id)) is None:
                    raise refuse("empty_backup", _("The backup holds no installation"))
                return Drilled(file, manifest, check_rows(connection))
        finally:
            engine.dispose()
