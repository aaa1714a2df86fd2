"""Records on disk: durable, unreadable without the phrase, and never one for another."""

import sqlite3
import stat
from pathlib import Path
from uuid import UUID

import pytest

from wallet.errors import WalletError
from wallet.keys import seed_of, store_key
from wallet.phrase import new_phrase
from wallet.records import Platform, Purchase, Ticket
from wallet.store import Store

KEY = store_key(bytes(64))


def _platform(number: int, server: str = "https://tickets.example") -> Platform:
    return Platform(platform_id=bytes([number]) * 16, server=server)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    store = Store(tmp_path / "wallet.sqlite", KEY)
    for number in range(3):
        store.put(_platform(number))
    store.close()
    return tmp_path / "wallet.sqlite"


def test_what_was_put_is_there_after_reopening(path: Path) -> None:
    store = Store(path, KEY)
    assert sorted(one.key for one in store.all(Platform)) == [_platform(number).key for number in range(3)]
    assert store.get(Platform, _platform(1).key) == _platform(1)
    assert store.get(Ticket, str(UUID(int=1))) is None
    assert store.all(Purchase) == []
    store.close()


def test_the_file_tells_nothing_and_only_its_owner_reads_it(path: Path) -> None:
    content = path.read_bytes()
    assert b"example" not in content
    assert _platform(1).key.encode() not in content
    assert bytes([1]) * 16 not in content
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_another_phrase_reads_nothing(path: Path) -> None:
    store = Store(path, store_key(seed_of(new_phrase())))
    with pytest.raises(WalletError) as caught:
        store.all(Platform)
    assert caught.value.code == "store_damaged"
    store.close()


def test_a_record_passed_off_as_another_is_noticed(path: Path) -> None:
    raw = sqlite3.connect(path)
    names = [row[0] for row in raw.execute("SELECT name FROM records ORDER BY name")]
    raw.execute(
        "UPDATE records SET sealed = (SELECT sealed FROM records WHERE name = ?) WHERE name = ?", (names[0], names[1])
    )
    raw.commit()
    raw.close()
    store = Store(path, KEY)
    with pytest.raises(WalletError) as caught:
        store.all(Platform)
    assert caught.value.code == "store_damaged"
    store.close()


def test_one_flipped_bit_is_noticed(path: Path) -> None:
    raw = sqlite3.connect(path)
    name, sealed = raw.execute("SELECT name, sealed FROM records LIMIT 1").fetchone()
    raw.execute("UPDATE records SET sealed = ? WHERE name = ?", (sealed[:-1] + bytes([sealed[-1] ^ 1]), name))
    raw.commit()
    raw.close()
    store = Store(path, KEY)
    with pytest.raises(WalletError):
        store.all(Platform)
    store.close()


@pytest.mark.parametrize("keep", [10, 100, 5000])
def test_truncated_file_is_damaged_in_words(path: Path, keep: int) -> None:
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(WalletError) as caught:
        Store(path, KEY).all(Platform)
    assert caught.value.code == "store_damaged"


def test_full_disk_is_named_and_what_was_there_stays(path: Path) -> None:
    store = Store(path, KEY)
    pages = store._db.execute("PRAGMA page_count").fetchone()[0]
    store._db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(WalletError) as caught:
        store.put(_platform(9, "https://" + "x" * 20_000))
    assert caught.value.code == "disk_full"
    assert len(store.all(Platform)) == 3
    store.close()


def test_a_store_of_a_newer_version_is_named_as_such(path: Path) -> None:
    raw = sqlite3.connect(path)
    raw.execute("PRAGMA user_version = 99")
    raw.close()
    with pytest.raises(WalletError) as caught:
        Store(path, KEY)
    assert caught.value.code == "wallet_too_new"


def test_a_locked_store_is_named_as_such(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wallet.store.BUSY_SECONDS", 0.05)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(WalletError) as caught:
        Store(path, KEY).put(_platform(5))
    assert caught.value.code == "wallet_busy"
    other.close()
