"""Private keys on disk."""

import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from nacl.signing import SigningKey

from backend.credentials.keystore import KeyRole, KeyStore, read_secret, write_secret
from backend.errors import SettingError

EVENT = UUID(int=7)


def test_a_key_is_made_once_and_found_again(tmp_path: Path) -> None:
    store = KeyStore(tmp_path / "keys")
    made = [store.create(EVENT, role) for role in KeyRole]
    assert [KeyStore(tmp_path / "keys").create(EVENT, role).public for role in KeyRole] == [key.public for key in made]
    assert [len(key.public) for key in made] == [32, 32, 20]
    assert len({key.secret for key in made}) == 3


def test_keys_can_be_read_by_their_owner_only(tmp_path: Path) -> None:
    previous = os.umask(0)
    try:
        KeyStore(tmp_path / "keys").create(EVENT, KeyRole.ISSUING)
    finally:
        os.umask(previous)
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    assert [stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "keys").iterdir()] == [0o600]


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    KeyStore(tmp_path / "keys").create(EVENT, KeyRole.ISSUING)
    for file in (tmp_path / "keys").iterdir():
        file.chmod(0o640)
    with pytest.raises(SettingError, match="chmod go-rwx"):
        KeyStore(tmp_path / "keys").create(EVENT, KeyRole.ISSUING)


def test_a_key_folder_that_others_may_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir(mode=0o755)
    with pytest.raises(SettingError, match="chmod go-rwx"):
        KeyStore(tmp_path / "keys")


def test_processes_that_make_the_same_key_at_once_agree(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(lambda _: KeyStore(tmp_path / "keys").create(EVENT, KeyRole.CUSTODY).public, range(16)))
    assert len(made) == 1
    assert len(list((tmp_path / "keys").iterdir())) == 1


def test_a_rotation_adds_a_key_and_keeps_the_old_one(tmp_path: Path) -> None:
    store = KeyStore(tmp_path / "keys")
    first, second = store.create(EVENT, KeyRole.ISSUING), store.create(EVENT, KeyRole.ISSUING, 2)
    assert [key.public for key in store.all_of(EVENT, KeyRole.ISSUING)] == [second.public, first.public]
    assert store.all_of(uuid4(), KeyRole.ISSUING) == []
    assert store.all_of(EVENT, KeyRole.BUNDLE) == []


def test_a_key_whose_id_is_taken_is_not_kept(tmp_path: Path) -> None:
    seeds = iter([bytes(32), bytes(31) + b"1"])
    store = KeyStore(tmp_path / "keys", lambda _size: next(seeds))
    taken = bytes(SigningKey(bytes(32)).verify_key)
    made = store.create(EVENT, KeyRole.ISSUING, acceptable=lambda public: public != taken)
    assert made.secret == bytes(31) + b"1"


@pytest.mark.parametrize("content", ["", "ed25519 00\n", "secp256k1 " + 64 * "0" + "\n", "ed25519 " + 64 * "é" + "\n"])
def test_a_damaged_key_is_named_and_not_shown(tmp_path: Path, content: str) -> None:
    store = KeyStore(tmp_path / "keys")
    store.create(EVENT, KeyRole.ISSUING)
    (file,) = (tmp_path / "keys").iterdir()
    file.write_text(content)
    with pytest.raises(SettingError, match="is damaged") as caught:
        KeyStore(tmp_path / "keys").all_of(EVENT, KeyRole.ISSUING)
    assert file.name in str(caught.value)
    assert content[-20:-1] not in str(caught.value) or not content


def test_secrets_are_not_in_a_keys_repr(tmp_path: Path) -> None:
    key = KeyStore(tmp_path / "keys").create(EVENT, KeyRole.CUSTODY)
    assert key.secret.hex() not in repr(key)
    assert repr(key.secret) not in repr(key)


def test_a_secret_file_is_never_replaced(tmp_path: Path) -> None:
    write_secret(tmp_path / "root.key", "ed25519", bytes(32))
    with pytest.raises(SettingError, match="never replaced"):
        write_secret(tmp_path / "root.key", "ed25519", bytes(31) + b"1")
    assert read_secret(tmp_path / "root.key", "ed25519") == bytes(32)


def test_a_missing_secret_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"root\.key is missing"):
        read_secret(tmp_path / "root.key", "ed25519")


@pytest.mark.parametrize("place", ["keystore.written", "keystore.linked"])
def test_a_power_cut_leaves_a_whole_key_or_none(tmp_path: Path, place: str) -> None:
    program = (
        "import sys; from uuid import UUID; from pathlib import Path; from backend import killpoints;"
        "from backend.credentials.keystore import KeyRole, KeyStore; killpoints.arm(sys.argv[1]);"
        "KeyStore(Path(sys.argv[2])).create(UUID(int=7), KeyRole.ISSUING)"
    )
    done = subprocess.run([sys.executable, "-c", program, place, tmp_path / "keys"], check=False)
    assert done.returncode == -9
    store = KeyStore(tmp_path / "keys")
    assert len(store.all_of(EVENT, KeyRole.ISSUING)) == (1 if place == "keystore.linked" else 0)
    assert store.create(EVENT, KeyRole.ISSUING).public == store.all_of(EVENT, KeyRole.ISSUING)[0].public
