"""The relayer's key signs what eth-account would sign, and nobody else can read it."""

from pathlib import Path

import pytest
from eth_account import Account
from eth_utils.address import to_checksum_address
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.chain.keys import DEVELOPMENT_KEY, Fees, RelayerKey, ensure_chain_keys, load_chain_keys
from backend.errors import SettingError
from backend.settings import Settings, settings_from

KEY = RelayerKey(DEVELOPMENT_KEY)


@settings(max_examples=40, deadline=None)
@given(
    nonce=st.integers(0, 2**40),
    chain_id=st.integers(1, 2**53),
    max_fee=st.integers(0, 2**60),
    gas=st.integers(21_000, 2**24),
    to=st.none() | st.binary(min_size=20, max_size=20),
    calldata=st.binary(max_size=3000),
)
def test_signatures_are_those_of_eth_account(
    nonce: int, chain_id: int, max_fee: int, gas: int, to: bytes | None, calldata: bytes
) -> None:
    ours = KEY.sign(chain_id, nonce, Fees(max_fee, max_fee // 2), gas, to, calldata)
    theirs = Account.sign_transaction(
        {
            "type": 2,
            "chainId": chain_id,
            "nonce": nonce,
            "maxFeePerGas": max_fee,
            "maxPriorityFeePerGas": max_fee // 2,
            "gas": gas,
            "value": 0,
            "data": calldata,
            **({"to": to_checksum_address(to)} if to is not None else {}),
        },
        DEVELOPMENT_KEY,
    )
    assert (ours.raw, ours.hash) == (bytes(theirs.raw_transaction), bytes(theirs.hash))


def test_the_address_is_that_of_the_key() -> None:
    assert KEY.address.hex() == Account.from_key(DEVELOPMENT_KEY).address[2:].lower()


def test_the_key_never_shows() -> None:
    assert DEVELOPMENT_KEY.hex()[:8] not in f"{KEY!r} {KEY} {vars(KEY)}"


def _settings(folder: Path, environment: str) -> Settings:
    environ = {"TRUESTUB_DATA_DIR": str(folder)}
    if environment == "production":
        environ |= {
            "TRUESTUB_ENVIRONMENT": "production",
            "TRUESTUB_DATABASE_URL": "sqlite:////nowhere",
            "TRUESTUB_PUBLIC_URL": "https://tickets.example",
            "TRUESTUB_TRUSTED_PROXIES": "127.0.0.1",
        }
    return settings_from(environ)


def test_production_makes_its_own_keys_once_for_their_owner_only(tmp_path: Path) -> None:
    chosen = _settings(tmp_path, "production")
    keys = ensure_chain_keys(chosen)
    addresses = {key.address for key in (keys.issuer, keys.operator, keys.admin)}
    assert len(addresses) == 3
    assert KEY.address not in addresses
    again = ensure_chain_keys(chosen)
    assert {key.address for key in (again.issuer, again.operator, again.admin)} == addresses
    assert {file.stat().st_mode & 0o077 for file in chosen.keys_dir.iterdir()} == {0}


def test_development_uses_funded_accounts(tmp_path: Path) -> None:
    assert ensure_chain_keys(_settings(tmp_path, "development")).issuer.address == KEY.address


@pytest.mark.parametrize("damage", ["missing", "open", "junk"])
def test_a_key_that_cannot_be_used_is_named(tmp_path: Path, damage: str) -> None:
    chosen = _settings(tmp_path, "development")
    ensure_chain_keys(chosen)
    path = chosen.keys_dir / "operator.key"
    if damage == "missing":
        path.unlink()
    elif damage == "open":
        path.chmod(0o644)
    else:
        path.write_text("not a key")
    with pytest.raises(SettingError, match=r"operator\.key"):
        load_chain_keys(chosen)
