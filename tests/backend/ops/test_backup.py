"""A backup made while the platform sells can be put back elsewhere, and says so when it can't."""

import json
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread

import pytest
from nacl.public import PrivateKey
from sqlalchemy import insert, select
from sqlalchemy.engine import make_url

from backend.db.engine import make_engine
from backend.db.migrate import is_current, upgrade
from backend.db.tables.events import Platform
from backend.errors import Refused
from backend.ops.backup import SUFFIX, copy_sqlite, make_backup, restore_database, unpack_backup
from backend.ops.postgres_tools import libpq_url
from backend.ops.scratch import scratch_folder
from backend.ops.sealed_file import MAGIC
from backend.settings import Settings, settings_from
from tests.support.postgres import PostgresServer

KEY = PrivateKey.from_seed(bytes(range(32)))
NOW = 1_900_000_000.0


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """An installation with a row and a key worth keeping."""
    made = settings_from({"TRUESTUB_DATA_DIR": str(tmp_path / "data"), "TRUESTUB_DATABASE_URL": database_url})
    installed(made)
    return made


def installed(settings: Settings) -> None:
    """Put a row and a key there."""
    settings.keys_dir.mkdir(parents=True)
    (settings.keys_dir / "issuing.key").write_bytes(b"a key of the signer")
    engine = make_engine(settings.database_url)
    upgrade(engine)
    with engine.begin() as connection:
        connection.execute(insert(Platform).values(id=1, platform_id=bytes(range(16)), created_ms=1))
    engine.dispose()


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


# Each child dies at one place; what it leaves is told by its parent.
KILLED = """
import json, os, sys
from pathlib import Path
from nacl.public import PublicKey
from backend import killpoints
from backend.ops.backup import make_backup
from backend.settings import settings_from

settings = settings_from({"TRUESTUB_DATA_DIR": sys.argv[1], "TRUESTUB_DATABASE_URL": sys.argv[2]})
for number, place in enumerate(sys.argv[5:]):
    child = os.fork()
    if child == 0:
        killpoints.arm(place)
        make_backup(settings, Path(sys.argv[3]), PublicKey(bytes.fromhex(sys.argv[4])), 1_900_000_000 + number)
        os._exit(0)
    ended = os.waitpid(child, 0)[1]
    files = {path.name: path.read_bytes()[:4].hex() for path in Path(sys.argv[3]).rglob("*")}
    print(json.dumps([place, ended, files]))
"""
PLACES = ("backup.copied", "backup.sealing", "backup.sealed", "backup.summed", "backup.named")


def test_a_backup_killed_at_any_step_leaves_nothing_in_clear_in_its_folder(tmp_path: Path) -> None:
    settings = settings_from({"TRUESTUB_DATA_DIR": str(tmp_path / "data")})
    folder, data = tmp_path / "share", settings.data_dir
    installed(settings)
    words = (str(data), settings.database_url, str(folder), bytes(KEY.public_key).hex(), *PLACES)
    done = subprocess.run([sys.executable, "-c", KILLED, *words], capture_output=True, text=True, check=True)
    left = {
        place: files for place, ended, files in map(json.loads, done.stdout.splitlines()) if ended == signal.SIGKILL
    }
    assert list(left) == list(PLACES)
    assert left["backup.copied"] == {}, "the copy in clear is made elsewhere"
    starts = {start for files in left.values() for name, start in files.items() if not name.endswith(".sha256")}
    assert starts <= {MAGIC.hex(), ""}
    assert any(path.is_file() for path in (data / ".backup").iterdir()), "what the last one left in clear"
    assert (data / ".backup").stat().st_mode & 0o077 == 0
    made = make_backup(settings, folder, KEY.public_key, NOW + 60)
    assert list((data / ".backup").iterdir()) == [], "is gone with the next run"
    assert [path for path in folder.iterdir() if path.name.startswith(".")] == []
    assert unpack_backup(made.file, KEY, tmp_path / "unpacked")["made_at"] == int(NOW) + 60


def test_two_backups_at_once_do_not_disturb_each_other(settings: Settings, tmp_path: Path) -> None:
    with scratch_folder(settings.data_dir, "backup") as plain:
        (plain / "database.sqlite").touch()
        with pytest.raises(Refused, match="runs_already"):
            make_backup(settings, tmp_path / "backups", KEY.public_key, NOW)
        assert (plain / "database.sqlite").exists()


def test_a_backup_under_steady_sales_ends_and_is_of_one_moment(tmp_path: Path) -> None:
    """Two rows are written in each transaction, all along: a copy with one of them alone is of no moment."""
    live = tmp_path / "data" / "truestub.sqlite"
    live.parent.mkdir()
    with closing(make_engine(f"sqlite:///{live}").connect()) as connection:
        connection.exec_driver_sql("CREATE TABLE sold (side INTEGER, what BLOB)")
        connection.exec_driver_sql("INSERT INTO sold VALUES (0, zeroblob(30000000))")
        connection.commit()
    stop, commits = Event(), 0

    def sell() -> None:
        nonlocal commits
        with closing(sqlite3.connect(live, timeout=30)) as shop:
            while not stop.is_set():
                shop.execute("INSERT INTO sold VALUES (1, zeroblob(3000)), (2, zeroblob(3000))")
                shop.commit()
                commits += 1

    seller = Thread(target=sell)
    seller.start()
    try:
        while commits < 10:
            time.sleep(0.001)
        before = commits
        copy_sqlite(live, tmp_path / "copy.sqlite")
        during = commits - before
    finally:
        stop.set()
        seller.join()
    assert during > 0, "sales went on"
    with closing(sqlite3.connect(tmp_path / "copy.sqlite")) as copy:
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        counts = dict(copy.execute("SELECT side, count(*) FROM sold WHERE side > 0 GROUP BY side"))
        assert counts[1] == counts[2] >= before


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


def test_what_is_left_of_another_database_is_never_applied_to_a_restored_one(
    settings: Settings, tmp_path: Path
) -> None:
    make_backup(settings, tmp_path / "backups", KEY.public_key, NOW)
    (tmp_path / "moved.sqlite-wal").touch()
    with pytest.raises(Refused, match=r"database_exists.*moved\.sqlite-wal"):
        restore_database(tmp_path / "unpacked", f"sqlite:///{tmp_path}/moved.sqlite")


def test_a_backup_of_nothing_is_refused_and_pushes_no_good_one_out(settings: Settings, tmp_path: Path) -> None:
    made = make_backup(settings, tmp_path / "backups", KEY.public_key, NOW)
    nowhere = replace(settings, database_url=f"sqlite:///{tmp_path}/typing-error.sqlite")
    with pytest.raises(Refused, match="no_installation"):
        make_backup(nowhere, tmp_path / "backups", KEY.public_key, NOW + 1, keep=1)
    assert made.file.exists()
    assert not (tmp_path / "typing-error.sqlite").exists()


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
