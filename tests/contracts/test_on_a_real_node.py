"""The contracts on anvil, through the clones, policies on: what pyrevm shows elsewhere, shown once on a real node."""

from collections.abc import Iterator

import pytest

from tests.contracts import world
from tests.contracts.world import Class, mint, pack, people, token_id
from tests.support.anvil import start_anvil
from tests.support.evm import Contract, NodeChain, Reverted, account

pytestmark = pytest.mark.xdist_group("anvil")


@pytest.fixture(scope="module")
def platform() -> Iterator[world.Platform]:
    with start_anvil() as node:
        yield world.deploy_platform(NodeChain(node))


@pytest.fixture
def tickets(platform: world.Platform, request: pytest.FixtureRequest) -> Contract:
    open_class = Class(label="Open", policy=world.OPEN, capacity=2_000)
    return platform.create(Class(), open_class, name=request.node.name)


def test_a_batch_is_minted_and_every_owner_has_one_token(tickets: Contract) -> None:
    owners = people(500)
    receipt = mint(tickets, 1, owners)
    transfers = receipt.named("Transfer")
    assert [(event["to"], event["tokenId"]) for event in transfers] == [
        (owner, token_id(1, index)) for index, owner in enumerate(owners)
    ]
    assert all(event["from"] == world.ZERO for event in transfers)
    assert tickets.call("ownerOf", token_id(1, 499)) == owners[499]
    assert tickets.call("balanceOf", owners[7]) == 1
    assert tickets.call("batchOwners", 1) == pack(owners)


def test_the_largest_batch_fits_a_transaction(tickets: Contract) -> None:
    receipt = mint(tickets, 1, people(1_228))
    assert len(receipt.named("Transfer")) == 1_228
    assert receipt.gas_used < 16_777_216


def test_the_same_batch_again_is_a_success_and_other_owners_are_refused(tickets: Contract) -> None:
    first = mint(tickets, 1, people(3)).named("BatchMinted")[0]
    again = mint(tickets, 1, people(3))
    assert again.named("BatchAlreadyMinted") == [{"number": 1, "ownersHash": first["ownersHash"]}]
    assert again.named("Transfer") == []
    with pytest.raises(Reverted) as refused:
        mint(tickets, 1, people(4))
    assert refused.value.name == "BatchTaken"
    assert tickets.call("eventInfo")[-2:] == (1, 1)


def test_capacity_holds_against_the_minting_key(tickets: Contract) -> None:
    for number in range(1, 5):
        mint(tickets, number, people(1_228))
    with pytest.raises(Reverted) as refused:
        mint(tickets, 5, people(100))
    assert refused.value.name == "CapacityExceeded"
    assert refused.value.arguments == (0, 5_000, 4_912, 100)
    mint(tickets, 5, people(88))


def test_a_transfer_counts_an_epoch_and_a_redeemed_ticket_stays(tickets: Contract) -> None:
    anna, ben = account("anna"), account("ben")
    mint(tickets, 1, [anna, anna], class_=1)
    first, second = token_id(1, 0), token_id(1, 1)
    tickets.send(anna, "transferFrom", anna, ben, first)
    assert tickets.call("ownerOf", first) == ben
    assert [tickets.call("epochOf", first), tickets.call("epochOf", second)] == [1, 0]
    assert [tickets.call("balanceOf", anna), tickets.call("balanceOf", ben)] == [1, 1]
    assert tickets.call("tokensOfOwner", ben) == (first,)

    receipt = tickets.send(world.GATE_KEY, "redeemWords", [first >> 7], [0b101])
    assert receipt.named("TicketsRedeemed") == [{"words": (first >> 7,), "masks": (0b101,)}]
    assert tickets.call("statusOf", first) == world.REDEEMED
    with pytest.raises(Reverted) as refused:
        tickets.send(ben, "transferFrom", ben, anna, first)
    assert refused.value.name == "TicketNotValid"

    repeat = tickets.send(world.GATE_KEY, "redeemWords", [first >> 7], [0b1])
    assert repeat.named("RedeemOverlap") == [{"word": first >> 7, "mask": 0b1}]
    assert repeat.named("TicketsRedeemed") == [{"words": (first >> 7,), "masks": (0,)}]


def test_the_factory_makes_one_contract_an_event_at_a_foretold_address(platform: world.Platform) -> None:
    config = world.event_config(name="foretold")
    foretold = platform.factory.call("predictEvent", world.DEPLOYER, config[0], world.CUSTODY)
    made = platform.create(name="foretold")
    assert made.address == foretold == platform.factory.call("eventOf", world.DEPLOYER, config[0])
    assert made.call("custody") == world.CUSTODY
    assert made.call("eventInfo")[0] == config[0]
    with pytest.raises(Reverted) as refused:
        platform.create(name="foretold")
    assert refused.value.name == "EventExists"
    assert refused.value.arguments[2] == foretold
    with pytest.raises(Reverted, match="AlreadyInitialized"):
        made.send(account("thief"), "initialize", world.event_config(name="foretold"))
