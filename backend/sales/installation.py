"""What an installation is born with: its public id, in the database, and its secret, in a file of its own."""

import os
import secrets
from contextlib import suppress
from pathlib import Path

from sqlalchemy import Connection, Engine, select

from backend.db.clock import now_ms
from backend.db.engine import read
from backend.db.tables.events import Platform
from backend.db.upsert import insert_missing
from backend.settings import require_private

PLATFORM_ID_BYTES = 16
SECRET_BYTES = 32
SECRET_FILE = "installation-secret"  # noqa: S105 - a file's name


def ensure_platform(connection: Connection) -> bytes:
    """The platform id (SPEC 1), made at the first call; every later call gives the same 16 bytes."""
    found = connection.execute(select(Platform.platform_id)).scalar_one_or_none()
    if found is None:
        row = {"id": 1, "platform_id": secrets.token_bytes(PLATFORM_ID_BYTES), "created_ms": now_ms(connection)}
        insert_missing(connection, Platform, [row])
        found = connection.execute(select(Platform.platform_id)).scalar_one()
    return found


def platform_id(engine: Engine) -> bytes | None:
    """The platform id, or none before the first `truestub db upgrade`."""
    with read(engine) as connection:
        return connection.execute(select(Platform.platform_id)).scalar_one_or_none()


def installation_secret(keys_dir: Path) -> bytes:
    """32 secret bytes, made at the first call and kept in a file that only its owner may read.

    Order secrets and payment notifications' keys are derived from it, so that they need not be stored. Two processes
    that start together agree: the file appears whole, under its name, once.
    """
    path = keys_dir / SECRET_FILE
    if not path.exists():
        # `parents=True` would give the folders above the default mode; data is nobody else's business either.
        keys_dir.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        keys_dir.mkdir(exist_ok=True, mode=0o700)
        draft = keys_dir / f".{SECRET_FILE}.{secrets.token_hex(8)}"
        try:
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(secrets.token_bytes(SECRET_BYTES))
                file.flush()
                os.fsync(file.fileno())
            with suppress(FileExistsError):  # another process was first
                os.link(draft, path)
        finally:
            draft.unlink(missing_ok=True)
    require_private(path)
    return path.read_bytes()
