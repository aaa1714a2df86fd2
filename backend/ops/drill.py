"""The drill: put a backup back somewhere else, and prove that it is whole. What was never tried is no backup."""

from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nacl.public import PrivateKey
from sqlalchemy import select
from sqlalchemy.engine import make_url

from backend.db.engine import make_engine, read
from backend.db.migrate import upgrade
from backend.db.tables.events import Platform
from backend.errors import refuse
from backend.i18n import gettext as _
from backend.killpoints import reach
from backend.ops.backup import SUFFIX, restore_database, unpack_backup
from backend.ops.check import Checked, check_rows
from backend.ops.postgres_tools import scratch_database
from backend.ops.scratch import scratch_folder


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


def drill(file: Path, key: PrivateKey, data_dir: Path, server_url: str | None = None) -> Drilled:
    """Restore `file` into a scratch place, check every promise, and leave nothing behind.

    The while it is in clear, in a folder of `data_dir`. A PostgreSQL backup needs `server_url`: any database of a
    server where one may be made for the drill, and dropped.
    """
    with ExitStack() as stack:
        folder = stack.enter_context(scratch_folder(data_dir, "drill"))
        manifest = unpack_backup(file, key, folder / "unpacked")
        reach("drill.unpacked")
        url = stack.enter_context(_empty_database(manifest, folder, server_url))
        restore_database(folder / "unpacked", url)
        reach("drill.restored")
        engine = make_engine(url)
        stack.callback(engine.dispose)
        upgrade(engine)
        with read(engine) as connection:
            if connection.scalar(select(Platform.platform_id)) is None:
                raise refuse("empty_backup", _("The backup holds no installation"))
            return Drilled(file, manifest, check_rows(connection))


def _empty_database(manifest: dict[str, Any], folder: Path, server_url: str | None) -> AbstractContextManager[str]:
    if manifest["engine"] == "sqlite":
        return nullcontext(f"sqlite:///{folder}/drill.sqlite")
    if server_url is None or make_url(server_url).get_backend_name() != "postgresql":
        sentence = _("Name a PostgreSQL server with --scratch postgresql://...; a database is made there, and dropped")
        raise refuse("scratch_missing", sentence)
    return scratch_database(server_url)
