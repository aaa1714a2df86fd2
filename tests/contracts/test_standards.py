"""ERC-2981, 4906, 5192, 7572, and what the metadata shows (SPEC 8.6, 8.8)."""

import base64
import json
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from tests.contracts import world
from tests.contracts.signing import Signer
from tests.contracts.world import ADMIN, CUSTODY, GATE_KEY, PAYEE, RELAYER_KEY, Class, Platform, gift, mint, token_id
from tests.support.evm import Contract, Reverted, RevmChain, account

ANNA, BEN = Signer("anna"), Signer("ben")
TICKET = token_id(1, 0)
EVERYTHING = {"_fromTokenId": 0, "_toTokenId": 2**256 - 1}


@pytest.fixture
def tickets(capped_tickets: Contract) -> Contract:
    mint(capped_tickets, 1, [ANNA.address, ANNA.address])
    return capped_tickets


def document(uri: str) -> dict[str, Any]:
    head, content = uri.split(",", 1)
    assert head == "data:application/json;base64"
    found: dict[str, Any] = json.loads(base64.b64decode(content, validate=True))
    return found


def traits(tickets: Contract, token: int = TICKET) -> dict[str, Any]:
    return {one["trait_type"]: one["value"] for one in document(tickets.call("tokenURI", token))["attributes"]}


def picture(uri: str) -> ET.Element:
    head, content = uri.split(",", 1)
    assert head == "data:image/svg+xml;base64"
    return ET.fromstring(base64.b64decode(content, validate=True))  # noqa: S314 (our own contract drew it)


# ---- ERC-2981


@pytest.mark.parametrize(
    ("price", "royalty"), [(0, 0), (19, 0), (20, 1), (10_000, 500), (2**256 - 1, (2**256 - 1) * 500 // 10_000)]
)
def test_royalty_info_is_the_class_share_of_any_price(tickets: Contract, price: int, royalty: int) -> None:
    assert tickets.call("royaltyInfo", TICKET, price) == (PAYEE, royalty)


def test_royalties_follow_the_payee(tickets: Contract) -> None:
    tickets.send(ADMIN, "setDetails", BEN.address, "text")
    assert tickets.call("royaltyInfo", TICKET, 100) == (BEN.address, 5)
    with pytest.raises(Reverted, match="ConfigInvalid"):
        tickets.send(ADMIN, "setDetails", world.ZERO, "text")


# ---- ERC-4906: an event wherever the JSON changes


def test_a_status_change_announces_new_metadata(tickets: Contract) -> None:
    for call in ("suspend", "reinstate", "revoke"):
        before = traits(tickets)
        assert tickets.send(RELAYER_KEY, call, [TICKET]).named("MetadataUpdate") == [{"_tokenId": TICKET}]
        assert traits(tickets)["Status"] != before["Status"]
    redeemed = tickets.send(GATE_KEY, "redeemWords", [TICKET >> 7], [0b100])
    assert redeemed.named("BatchMetadataUpdate") == [{"_fromTokenId": TICKET, "_toTokenId": TICKET + 127}]
    assert traits(tickets, TICKET + 1)["Status"] == "used"


@pytest.mark.parametrize(
    "change",
    [
        ("setPolicy", (0, world.FROZEN)),
        ("setTimes", (0, 5, 9)),
        ("setDetails", (PAYEE, "other words")),
        ("cancelEvent", ()),
    ],
    ids=lambda change: change[0],
)
def test_a_change_of_class_or_event_announces_new_metadata(tickets: Contract, change: tuple[str, Any]) -> None:
    before = document(tickets.call("tokenURI", TICKET))
    assert tickets.send(ADMIN, change[0], *change[1]).named("BatchMetadataUpdate") == [EVERYTHING]
    assert document(tickets.call("tokenURI", TICKET)) != before


def test_a_move_announces_new_metadata_only_by_its_transfer(tickets: Contract) -> None:
    assert [event.name for event in gift(tickets, TICKET, ANNA, BEN.address).events] == ["Transfer"]
    assert "Moves" not in traits(tickets)


# ---- ERC-5192


@pytest.mark.parametrize(("policy", "locked"), [(world.OPEN, False), (world.MARKET_ONLY, True), (world.FROZEN, True)])
def test_locked_says_whether_erc721_transfers_are_refused(platform: Platform, policy: int, locked: bool) -> None:
    tickets = platform.create(Class(policy=policy))
    assert mint(tickets, 1, [ANNA.address]).named("Locked") == []
    assert tickets.call("locked", TICKET) is locked
    if locked:
        with pytest.raises(Reverted, match="PathNotAllowed"):
            tickets.send(ANNA.address, "transferFrom", ANNA.address, BEN.address, TICKET)
    else:
        tickets.send(ANNA.address, "transferFrom", ANNA.address, BEN.address, TICKET)


def test_soulbound_tickets_are_announced_as_locked_when_minted(platform: Platform) -> None:
    tickets = platform.create(Class(policy=world.SOULBOUND))
    receipt = mint(tickets, 3, [ANNA.address, ANNA.address])
    assert receipt.named("Locked") == [{"tokenId": token_id(3, 0)}, {"tokenId": token_id(3, 1)}]
    assert tickets.call("locked", token_id(3, 1)) is True


def test_locked_throws_for_tickets_that_do_not_exist(tickets: Contract) -> None:
    with pytest.raises(Reverted, match="ERC721NonexistentToken"):
        tickets.call("locked", token_id(9, 0))


# ---- ERC-7572 and what is drawn


def test_contract_uri_has_name_symbol_description_and_picture(tickets: Contract) -> None:
    found = document(tickets.call("contractURI"))
    assert (found["name"], found["symbol"]) == ("Night of Lights", "LIGHTS")
    assert found["description"] == "An evening of light and music"
    assert "Night of Lights" in "".join(picture(found["image"]).itertext())


@pytest.mark.parametrize("call", [("setDetails", (PAYEE, "new")), ("cancelEvent", ())], ids=lambda call: call[0])
def test_contract_uri_updated_is_announced(tickets: Contract, call: tuple[str, Any]) -> None:
    assert tickets.send(ADMIN, call[0], *call[1]).named("ContractURIUpdated") == [{}]


def test_a_ticket_shows_class_status_terms_and_a_picture(tickets: Contract) -> None:
    found = document(tickets.call("tokenURI", TICKET))
    assert found["name"] == "Night of Lights, Standing 1-0"
    assert traits(tickets) == {
        "Class": "Standing",
        "Status": "valid",
        "Resale": "with the organiser's consent, price capped",
        "Face value": "50.00 EUR",
        "Highest resale price": "55.00 EUR",
        "Moves end": 4_000_000_000,
    }
    words = "".join(picture(found["image"]).itertext())
    assert "Standing" in words
    assert "No. 1-0, valid" in words
    tickets.send(ADMIN, "cancelEvent")
    assert traits(tickets)["Status"] == "event cancelled"


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (0, b"EUR", "0.00 EUR"),
        (5, b"USD", "0.05 USD"),
        (1_234_500, b"CNY", "12345.00 CNY"),
        (1_500, b"JPY", "1500 JPY"),
        (1_500, b"KWD", "1.500 KWD"),
        (7, b"TND", "0.007 TND"),
    ],
)
def test_money_is_written_with_the_currencys_own_decimals(
    platform: Platform, amount: int, currency: bytes, text: str
) -> None:
    tickets = platform.create(Class(face_value=amount, currency=currency))
    mint(tickets, 1, [ANNA.address])
    assert traits(tickets)["Face value"] == text


def test_hostile_names_break_neither_json_nor_svg(platform: Platform) -> None:
    name = 'Rock & "Roll" </text><script>alert(1)</script> \\ \n\t\x01 \u4f60\u597d'
    label = '"<b>&amp;'
    tickets = platform.create(Class(label=label), name=name)
    mint(tickets, 1, [ANNA.address])
    found = document(tickets.call("tokenURI", TICKET))
    assert found["name"] == f"{name}, {label} 1-0"
    drawn = picture(found["image"])
    assert not [one for one in drawn.iter() if one.tag.endswith("script")]
    assert label in "".join(drawn.itertext())
    assert document(tickets.call("contractURI"))["name"] == name


def test_metadata_says_nothing_about_a_person(platform: Platform, chain: RevmChain) -> None:
    """The same ticket in other hands looks the same."""
    tickets = platform.create(Class())
    mint(tickets, 1, [ANNA.address])
    mint(tickets, 2, [CUSTODY])
    before = tickets.call("tokenURI", TICKET)
    assert ANNA.address[2:] not in base64.b64decode(before.split(",", 1)[1]).decode().lower()
    gift(tickets, TICKET, ANNA, account("somebody else"))
    assert tickets.call("tokenURI", TICKET) == before
