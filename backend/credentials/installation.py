"""What an installation is born with: folders, its platform id, its secret. Doing it again changes nothing."""

import secrets

from sqlalchemy import Connection, Engine, insert, select
from sqlalchemy.exc import IntegrityError

from backend.credentials.keystore import RandomBytes, make_installation_secret
from backend.db.clock import now_ms
from backend.db.engine import read
from backend.db.models import Platform
from backend.errors import refuse
from backend.i18n import gettext as _
from backend.settings import Settings

PLATFORM_ROW = 1
PLATFORM_ID_BYTES = 16


def initialise(engine: Engine, settings: Settings, random_bytes: RandomBytes = secrets.token_bytes) -> bytes:
    """Make what is missing of folders, secret and platform row; the platform id, old or new."""
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    make_installation_secret(settings.keys_dir, random_bytes)
    try:
        with engine.begin() as connection:
            if connection.scalar(select(Platform.id).where(Platform.id == PLATFORM_ROW)) is None:
                values = {"platform_id": random_bytes(PLATFORM_ID_BYTES), "created_ms": now_ms(connection)}
                connection.execute(insert(Platform).values(id=PLATFORM_ROW, **values))
    except IntegrityError:
        pass  # another process was first; its id is as good
    return read_platform_id(engine)


def platform_id(connection: Connection) -> bytes:
    """The 16 bytes of this installation; refuses `not_initialised` if it has none."""
    known = connection.scalar(select(Platform.platform_id).where(Platform.id == PLATFORM_ROW))
    if known is None:
        raise refuse("not_initialised", _("This platform has not been set up; run: truestub init"))
    return bytes(known)


def read_platform_id(engine: Engine) -> bytes:
    """Like `platform_id`, with a connection of its own."""
    with read(engine) as connection:
        return platform_id(connection)
