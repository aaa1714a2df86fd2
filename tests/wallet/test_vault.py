"""The vault keeps the phrase: from a thief without the passphrase, and from accidents."""

import hashlib
import json
import os
import stat
from pathlib import Path

import pytest

from tests.wallet.home import CHEAP, PASSPHRASE, PHRASE
from wallet import vault
from wallet.errors import WalletError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "vault.json"
    vault.create(file, PHRASE, PASSPHRASE, CHEAP)
    return file


def _code(path: Path, passphrase: str = PASSPHRASE) -> str:
    with pytest.raises(WalletError) as caught:
        vault.unlock(path, passphrase)
    assert PHRASE.split()[0] not in caught.value.sentence
    return caught.value.code


def test_passphrase_opens_and_a_wrong_one_does_not(path: Path) -> None:
    assert vault.unlock(path, PASSPHRASE) == PHRASE
    assert _code(path, PASSPHRASE + " ") == "wrong_passphrase"
    assert _code(path, "") == "wrong_passphrase"


def test_default_cost_is_256_mib_and_stands_beside(tmp_path: Path) -> None:
    file = tmp_path / "vault.json"
    vault.create(file, PHRASE, PASSPHRASE)
    assert vault.describe(file) == {
        "kdf": "argon2id",
        "passes": 3,
        "memory_bytes": 256 << 20,
        "cipher": "xsalsa20-poly1305",
    }
    assert vault.unlock(file, PASSPHRASE) == PHRASE


def test_the_file_has_no_word_of_the_phrase_and_only_its_owner_reads_it(path: Path) -> None:
    content = path.read_text()
    assert not [word for word in PHRASE.split() if word in content]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_same_passphrase_twice_gives_files_that_share_nothing(tmp_path: Path) -> None:
    for name in ("one", "two"):
        vault.create(tmp_path / name, PHRASE, PASSPHRASE, CHEAP)
    one, two = (json.loads((tmp_path / name).read_text()) for name in ("one", "two"))
    assert one["kdf"]["salt"] != two["kdf"]["salt"]
    assert one["sealed"] != two["sealed"]


def test_truncated_at_any_byte_is_damaged(path: Path) -> None:
    whole = path.read_bytes()
    for size in range(len(whole) - 1):
        path.write_bytes(whole[:size])
        assert _code(path) == "vault_damaged", size


def test_flipped_at_any_byte_is_noticed(path: Path) -> None:
    whole = path.read_bytes()
    for at in range(len(whole)):
        if not whole[at : at + 1].isspace():  # white space between the fields means nothing
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
            assert _code(path) in ("vault_damaged", "vault_too_new"), at


@pytest.mark.parametrize("field", ["salt", "passes", "sealed"])
def test_tampered_with_a_new_checksum_still_does_not_open(path: Path, field: str) -> None:
    fields = json.loads(path.read_text())
    del fields["checksum"]
    if field == "passes":
        fields["kdf"]["passes"] += 1
    elif field == "salt":
        fields["kdf"]["salt"] = "00" * 16
    else:
        fields["sealed"] = fields["sealed"][:-2] + ("00" if fields["sealed"][-2:] != "00" else "01")
    checksum = hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()
    path.write_text(json.dumps({**fields, "checksum": checksum}))
    assert _code(path) == "wrong_passphrase"


def test_absurd_memory_is_not_tried(path: Path) -> None:
    fields = json.loads(path.read_text())
    fields["kdf"]["memory_bytes"] = 1 << 40
    path.write_text(json.dumps(fields))
    assert _code(path) == "vault_damaged"


def test_a_newer_version_is_named_as_such(path: Path) -> None:
    path.write_text(json.dumps({"format": vault.FORMAT, "version": 2, "new": "fields"}))
    assert _code(path) == "vault_too_new"


def test_no_wallet_is_named_as_such(tmp_path: Path) -> None:
    assert _code(tmp_path / "vault.json") == "no_wallet"


def test_a_wallet_is_never_overwritten(path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(WalletError) as caught:
        vault.create(path, PHRASE, "another passphrase", CHEAP)
    assert caught.value.code == "wallet_exists"
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["vault.json"]


def test_power_cut_while_changing_the_passphrase_leaves_the_old_vault(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(_handle: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", cut)
    with pytest.raises(KeyboardInterrupt):
        vault.change_passphrase(path, PASSPHRASE, "another passphrase", CHEAP)
    monkeypatch.undo()
    assert vault.unlock(path, PASSPHRASE) == PHRASE


def test_changed_passphrase_opens_and_the_old_one_does_not(path: Path) -> None:
    vault.change_passphrase(path, PASSPHRASE, "another passphrase", CHEAP)
    assert vault.unlock(path, "another passphrase") == PHRASE
    assert _code(path) == "wrong_passphrase"


def test_passphrase_typed_on_another_keyboard_is_the_same(tmp_path: Path) -> None:
    file = tmp_path / "vault.json"
    vault.create(file, PHRASE, "caf\u00e9 au lait", CHEAP)
    assert vault.unlock(file, "cafe\u0301 au lait") == PHRASE


@pytest.mark.parametrize("passphrase", ["", "short", "x" * 1025])
def test_useless_passphrase_is_refused(tmp_path: Path, passphrase: str) -> None:
    with pytest.raises(WalletError) as caught:
        vault.create(tmp_path / "vault.json", PHRASE, passphrase, CHEAP)
    assert caught.value.code == "bad_passphrase"
    assert not list(tmp_path.iterdir())


def test_full_disk_is_named_and_leaves_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(WalletError) as caught:
        vault.create(tmp_path / "vault.json", PHRASE, PASSPHRASE, CHEAP)
    assert caught.value.code == "disk_full"
    assert not list(tmp_path.iterdir())
