"""Keys from the phrase: the standards' own vectors, ours for other implementations, and that nothing links them."""

import json
from pathlib import Path

import pytest

from credential.codes import decode_code
from tests.vectors.make_wallet import build
from wallet import vault
from wallet.errors import WalletError
from wallet.keys import chain_path, derive_ed25519, device_key, device_path, path_text, seed_of, store_key
from wallet.owner import owner_account
from wallet.phrase import new_phrase, read_phrase

VECTORS = Path(__file__).parents[1] / "vectors" / "wallet.json"

# SLIP-0010, test vectors 1 and 2 for ed25519: seed, path, private key.
SLIP10 = [
    ("000102030405060708090a0b0c0d0e0f", (), "2b4be7f19ee27bbf30c667b642d5f4aa69fd169872f8fc3059c08ebae2eb19e7"),
    ("000102030405060708090a0b0c0d0e0f", (0,), "68e0fe46dfb67e368c75379acec591dad19df3cde26e63b93a8e704f1dade7a3"),
    (
        "000102030405060708090a0b0c0d0e0f",
        (0, 1, 2, 2, 1000000000),
        "8f94d394a8e8fd6b1bc2f3f49f5c47e385281d5c17e65324b0f62483e37e8793",
    ),
]


@pytest.mark.parametrize(("seed", "path", "private"), SLIP10)
def test_device_keys_follow_slip_10(seed: str, path: tuple[int, ...], private: str) -> None:
    assert derive_ed25519(bytes.fromhex(seed), path).hex() == private


def test_seed_follows_bip_39() -> None:
    phrase = "abandon " * 11 + "about"
    assert seed_of(phrase).hex().startswith("5eb00bbddcf069084889a8ab9155568165f5c453ccb85e70811aaed6f6da5fc1")


def test_vectors_are_what_this_code_makes() -> None:
    assert json.loads(VECTORS.read_text()) == build()


def test_vector_vault_still_opens(tmp_path: Path) -> None:
    vectors = json.loads(VECTORS.read_text())
    file = tmp_path / "vault.json"
    file.write_text(json.dumps(vectors["vault"]["file"]))
    assert vault.unlock(file, vectors["vault"]["passphrase"]) == vectors["vault"]["phrase"]


def test_vector_codes_show_the_time_they_say() -> None:
    for case in json.loads(VECTORS.read_text())["codes"]:
        decoded = decode_code(bytes.fromhex(case["payload"]))
        assert getattr(decoded, "timestamp", None) == case["timestamp"]


def test_keys_of_two_events_and_two_tickets_share_nothing() -> None:
    seed = seed_of(new_phrase())
    tags = [bytes(7) + bytes([last]) for last in range(4)]
    addresses = {owner_account(seed, tag).address for tag in tags}
    devices = {
        bytes(device_key(seed, tag, token, number).verify_key) for tag in tags for token in (1, 2) for number in (1, 2)
    }
    assert len(addresses) == 4
    assert len(devices) == 16
    assert len({store_key(seed), *devices}) == 17


def test_every_step_of_a_path_is_hardened() -> None:
    tag = bytes.fromhex("0123456789abcdef")
    assert path_text(chain_path(tag)) == "m/21587'/60'/291'/17767'/35243'/52719'"
    assert path_text(device_path(tag, (1 << 16) | 5, 2)) == "m/21587'/291'/17767'/35243'/52719'/0'/0'/1'/5'/0'/2'"


def test_new_phrases_have_the_asked_length_and_differ() -> None:
    phrases = {new_phrase(words) for words in (12, 24) for _ in range(5)}
    assert len(phrases) == 10
    assert {len(phrase.split()) for phrase in phrases} == {12, 24}
    assert all(read_phrase(phrase) == phrase for phrase in phrases)


def test_phrase_is_read_however_it_was_typed() -> None:
    phrase = new_phrase()
    assert read_phrase("  " + phrase.upper().replace(" ", " \t\n ") + "\n") == phrase


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("", "has 12 or 24 words; this one has 0"),
        ("legal winner thank", "this one has 3"),
        ("legal winner thank year wave sausage worth useful legal winner thank yelow", "Word 12"),
        ("winner legal thank year wave sausage worth useful legal winner thank yellow", "changed places"),
    ],
)
def test_wrong_phrase_says_where_and_repeats_no_word(typed: str, hint: str) -> None:
    with pytest.raises(WalletError) as caught:
        read_phrase(typed)
    assert caught.value.code == "bad_phrase"
    assert hint in caught.value.sentence
    assert "yelow" not in caught.value.sentence
