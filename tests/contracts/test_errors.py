"""Every custom error becomes a typed exception with a code and a sentence, in both languages."""

from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import encode

from contracts import errors, load_artifact
from contracts.artifact import artifact_names
from contracts.errors.base import snake_case
from tests.contracts import world
from tests.support.evm import Reverted, RevmChain, account
from tools import messages

SAMPLES: dict[str, Any] = {"address": "0x" + "ab" * 20, "string": "text", "uint256": 7, "uint8": 1}
KNOWN = {
    selector: error for artifact in map(load_artifact, artifact_names()) for selector, error in artifact.errors.items()
}


def sample(kind: str) -> Any:
    return SAMPLES.get(kind, b"\x11" * int(kind[5:]) if kind.startswith("bytes") else 7)


@pytest.mark.parametrize("selector", KNOWN, ids=lambda selector: KNOWN[selector]["name"])
def test_every_error_of_the_abi_has_a_type_a_code_and_a_sentence_with_its_arguments(selector: str) -> None:
    error = KNOWN[selector]
    types = [field["type"] for field in error["inputs"]]
    refused = errors.decode(bytes.fromhex(selector[2:]) + encode(types, [sample(kind) for kind in types]))
    assert type(refused).__name__ == error["name"] + "Error"
    assert refused.code == snake_case(error["name"])
    assert list(refused.arguments) == [field["name"] for field in error["inputs"]]
    english, chinese = refused.sentence("en"), refused.sentence("zh")
    assert english != chinese
    assert "{" not in english + chinese
    assert str(refused) == f"{refused.code}: {english}"


def test_a_refusal_by_a_deployed_contract_reads_as_a_sentence() -> None:
    platform = world.deploy_platform(RevmChain())
    tickets = platform.create(world.Class(capacity=2))
    with pytest.raises(Reverted) as refused:
        world.mint(tickets, 1, world.people(3))
    error = errors.decode(refused.value.data)
    assert isinstance(error, errors.tickets.CapacityExceededError)
    assert error.arguments == {"class": 0, "capacity": 2, "issued": 0, "count": 3}
    assert error.sentence("en") == (
        "Class 0 holds 2 tickets; 0 are outstanding, so 3 more do not fit. Mint fewer, or raise the capacity."
    )


def test_roles_policies_and_times_are_words_not_numbers() -> None:
    platform = world.deploy_platform(RevmChain())
    tickets = platform.create()
    with pytest.raises(Reverted) as refused:
        tickets.send(account("thief"), "mint", 1, 0, world.pack(world.people(1)))
    assert "lacks the role: issuer" in errors.decode(refused.value.data).sentence("en")
    late = errors.tickets.MovesClosedError({"tokenId": 65_536, "closes": 1_800_000_000})
    assert late.sentence("en").startswith("Ticket 65536 could be moved until 2027-01-15 08:00:00 UTC.")
    assert errors.tickets.DeadlinePassedError({"deadline": 2**256 - 1}).sentence("en").count("9999-12-31") == 1


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "no_reason"),
        (b"\xde\xad\xbe\xef", "unknown_selector"),
        (b"\x01", "unknown_selector"),
        ("0x08c379a0" + encode(["string"], ["no"]).hex(), "foreign_message"),
        ("0x4e487b71" + encode(["uint256"], [0x11]).hex(), "panic"),
        (bytes.fromhex("08c379a0"), "foreign_message"),
        (bytes.fromhex(next(iter(load_artifact("EventTickets").errors))[2:]), "unknown_selector"),
    ],
)
def test_what_is_not_ours_or_cut_short_is_named_as_such(data: bytes | str, code: str) -> None:
    assert errors.decode(data).code == code


def test_the_catalogue_is_complete_and_fresh() -> None:
    room = Path("contracts")
    found, po, mo = messages.updated(room)
    path = messages.catalogue(room)
    assert messages.untranslated(found) == []
    assert (path.read_bytes(), path.with_suffix(".mo").read_bytes()) == (po, mo), (
        "run python -m tools.messages contracts"
    )
