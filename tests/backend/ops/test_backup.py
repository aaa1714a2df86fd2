"""A backup made while the platform sells can be put back elsewhere, and says so when it can't."""

from pathlib import Path

import pytest
from nacl.public import PrivateKey
from sqlalchemy import insert, select
from sqlalchemy.engine import make_url

from backend.db.engine import make_engine
from backend.db.migrate import is_current
from backend.db.models import Platform
from backend.errors import Refused
from backend.ops.backup import SUFFIX, libpq_url, make_backup, restore_database, unpack_backup
from backend.settings import Settings, settings_from
from tests.support.postgres import PostgresServer

KEY = PrivateKey.from_seed(bytes(range(32)))
NOW = 1_900_000_000.0


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """An installation with a row and a key worth keeping."""
    made = settings_from({"TRUESTUB_DATA_DIR": str(tmp_path / "data"), "TRUESTUB_DATABASE_URL": database_url})
    made.keys_dir.mkdir(parents=True)
    (made.keys_dir / "issuing.key").write_bytes(b"a key of the signer")
    engine = make_engine(database_url)
    with engine.begin() as connection:
        connection.execute(insert(Platform).values(id=1, platform_id=bytes(range(16)), created_ms=1))
    engine.dispose()
    return made


def empty_place(settings: Settings, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    if make_url(settings.database_url).get_backend_name() == "sqlite":
        return f"sqlite:///{tmp_path}/restored.sqlite"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.create_database("template0")


def test_what_was_backed_up_is_there_after_a_restore_elsewhere(
    settings: Settings, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    made = make_backup(settings, tmp_path / "backups", KEY.public_key, NOW)
    unpacked = tmp_path / "unpacked"
    manifest = unpack_backup(made.file, KEY, unpacked)
    place = empty_place(settings, tmp_path, request)
    restore_database(unpacked, place)
    engine = make_engine(place)
    with engine.connect() as connection:
        assert connection.scalar(select(Platform.platform_id)) == bytes(range(16))
    assert is_current(engine)
    engine.dispose()
    assert (unpacked / "keys" / "issuing.key").read_bytes() == b"a key of the signer"
    assert manifest["made_at"] == int(NOW)


def test_the_backup_holds_no_secret_in_clear(settings: Settings, tmp_path: Path) -> None:
    made = make_backup(settings, tmp_path / "backups", KEY.public_key, NOW)
    assert b"a key of the signer" not in made.file.read_bytes()


def test_only_the_newest_are_kept_and_no_scraps_are_left(settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    for second in range(4):
        make_backup(settings, folder, KEY.public_key, NOW + second, keep=2)
    names = sorted(path.name for path in folder.iterdir())
    kept = [f"20300317T17464{second}Z{SUFFIX}" for second in (2, 3)]
    assert [name for name in names if name.endswith(SUFFIX)] == kept
    assert len(names) == 4


def test_a_changed_backup_is_refused_and_leaves_nothing(settings: Settings, tmp_path: Path) -> None:
    made = make_backup(settings, tmp_path / "backups", KEY.public_key, NOW)
    data = bytearray(made.file.read_bytes())
    data[len(data) // 2] ^= 1
    made.file.write_bytes(data)
    for checksum in ("there", "gone"):
        if checksum == "gone":
            made.file.with_name(made.file.name + ".sha256").unlink()
        with pytest.raises(Refused, match="damaged_backup"):
            unpack_backup(made.file, KEY, tmp_path / "unpacked")
    assert not (tmp_path / "unpacked").exists()


def test_a_restore_never_writes_over_a_database(settings: Settings, tmp_path: Path) -> None:
    made = make_backup(settings, tmp_path / "backups", KEY.public_key, NOW)
    unpack_backup(made.file, KEY, tmp_path / "unpacked")
    with pytest.raises(Refused):
        restore_database(tmp_path / "unpacked", settings.database_url)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("postgresql://ada:secret@db/x", "postgresql://ada@db/x"),
        (
            "postgresql://ada@/x?host=a:1&host=b:2&target_session_attrs=read-write",
            "postgresql://ada@a:1,b:2/x?target_session_attrs=read-write",
        ),
    ],
)
def test_postgresql_tools_are_told_every_host_and_no_password(ours: str, theirs: str) -> None:
    assert libpq_url(make_url(ours)) == theirs
