"""Who may do what: each role its own work and nobody else's (SPEC 8.4)."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.contracts import world
from tests.contracts.signing import Signer
from tests.contracts.world import (
    ADMIN,
    DAY,
    GATE_KEY,
    ISSUER_KEY,
    PAUSER_KEY,
    RELAYER_KEY,
    SETTLER_KEY,
    ZERO,
    Class,
    Platform,
    gift,
    mint,
    offer,
    pack,
    people,
    token_id,
)
from tests.support.evm import START, Contract, Reverted, RevmChain, account

ANNA, BEN = Signer("anna"), Signer("ben")
TICKET = token_id(1, 0)
STRANGER = account("stranger")

CALLS: dict[str, tuple[str, tuple[Any, ...]]] = {
    "mint": (ISSUER_KEY, (7, 0, pack(people(1)))),
    "claim": (RELAYER_KEY, (TICKET, ANNA.address, 2**40, b"")),
    "revoke": (RELAYER_KEY, ([TICKET],)),
    "suspend": (RELAYER_KEY, ([TICKET],)),
    "reinstate": (RELAYER_KEY, ([TICKET],)),
    "redeemWords": (GATE_KEY, ([TICKET >> 7], [1])),
    "stop": (PAUSER_KEY, (1,)),
    "resume": (ADMIN, (1,)),
    "cancelEvent": (ADMIN, ()),
    "addClass": (ADMIN, (Class().abi(),)),
    "setCapacity": (ADMIN, (0, 9)),
    "setTimes": (ADMIN, (0, 1, 2)),
    "setPolicy": (ADMIN, (0, world.FROZEN)),
    "setDetails": (ADMIN, (BEN.address, "text")),
    "grantRoles": (ADMIN, (BEN.address, world.GATE)),
    "revokeRoles": (ADMIN, (GATE_KEY, world.GATE)),
    "proposeAdmin": (ADMIN, (BEN.address,)),
}
EVERYBODY = [ADMIN, ISSUER_KEY, RELAYER_KEY, GATE_KEY, PAUSER_KEY, SETTLER_KEY, STRANGER, world.CUSTODY, world.PAYEE]


@pytest.mark.parametrize("call", CALLS)
def test_each_role_does_its_own_work_only(capped_tickets: Contract, call: str) -> None:
    mint(capped_tickets, 1, [ANNA.address])
    holder, arguments = CALLS[call]
    for account_ in EVERYBODY:
        if account_ != holder:
            with pytest.raises(Reverted) as refused:
                capped_tickets.send(account_, call, *arguments)
            assert refused.value.name in ("MissingRole", "NotAdmin")
            assert refused.value.arguments[0] == account_


def test_settle_is_the_markets_alone(capped_tickets: Contract) -> None:
    mint(capped_tickets, 1, [ANNA.address])
    for account_ in EVERYBODY:
        with pytest.raises(Reverted) as refused:
            capped_tickets.send(account_, "settle", TICKET, 0, BEN.address, 0, SETTLER_KEY, True, b"\0" * 32, b"")
        assert (refused.value.name, refused.value.arguments) == ("NotMarket", (account_,))


# ---- roles come and go


def test_a_stolen_issuer_key_never_mints_past_the_capacity_and_is_stopped_at_once(platform: Platform) -> None:
    tickets = platform.create(Class(capacity=10))
    mint(tickets, 1, people(8))
    with pytest.raises(Reverted, match="CapacityExceeded"):
        mint(tickets, 2, people(3))
    tickets.send(PAUSER_KEY, "stop", 1)
    with pytest.raises(Reverted) as refused:
        mint(tickets, 2, people(2))
    assert (refused.value.name, refused.value.arguments) == ("Stopped", (1,))
    tickets.send(ADMIN, "revokeRoles", ISSUER_KEY, world.ISSUER)
    tickets.send(ADMIN, "grantRoles", BEN.address, world.ISSUER)
    tickets.send(ADMIN, "resume", 1)
    with pytest.raises(Reverted, match="MissingRole"):
        mint(tickets, 2, people(2))
    tickets.send(BEN.address, "mint", 2, 0, pack(people(2)))


def test_a_revoked_ticket_makes_room_and_the_minting_key_cannot_revoke(platform: Platform) -> None:
    tickets = platform.create(Class(capacity=2))
    mint(tickets, 1, people(2))
    tickets.send(RELAYER_KEY, "revoke", [TICKET])
    assert tickets.call("classInfo", 0)[2] == 1
    mint(tickets, 2, people(1))
    with pytest.raises(Reverted, match="CapacityExceeded"):
        mint(tickets, 3, people(1))


def test_what_a_role_change_leaves_is_in_the_event(capped_tickets: Contract) -> None:
    both = world.ISSUER | world.GATE
    granted = capped_tickets.send(ADMIN, "grantRoles", BEN.address, both)
    assert granted.named("RolesChanged") == [{"account": BEN.address, "roles": both}]
    taken = capped_tickets.send(ADMIN, "revokeRoles", BEN.address, world.GATE)
    assert taken.named("RolesChanged") == [{"account": BEN.address, "roles": world.ISSUER}]
    assert capped_tickets.call("rolesOf", BEN.address) == world.ISSUER


@pytest.mark.parametrize("roles", [0, world.KEYS, 64, 128, 255])
def test_roles_without_a_meaning_are_refused(capped_tickets: Contract, roles: int) -> None:
    for call in ("grantRoles", "revokeRoles"):
        with pytest.raises(Reverted) as refused:
            capped_tickets.send(ADMIN, call, BEN.address, roles)
        assert (refused.value.name, refused.value.arguments) == ("UnknownRoles", (roles,))
    with pytest.raises(Reverted, match="ZeroAddress"):
        capped_tickets.send(ADMIN, "grantRoles", ZERO, world.GATE)


# ---- the admin


def test_the_admin_hands_over_in_two_steps_with_a_delay(chain: RevmChain, capped_tickets: Contract) -> None:
    tickets = capped_tickets
    assert tickets.send(ADMIN, "proposeAdmin", BEN.address).named("AdminProposed") == [
        {"pending": BEN.address, "validFrom": START + 2 * DAY}
    ]
    chain.set_time(START + 2 * DAY - 1)
    with pytest.raises(Reverted) as refused:
        tickets.send(BEN.address, "acceptAdmin")
    assert (refused.value.name, refused.value.arguments) == ("AdminDelayRunning", (START + 2 * DAY,))
    chain.set_time(START + 2 * DAY)
    with pytest.raises(Reverted, match="NotPendingAdmin"):
        tickets.send(ANNA.address, "acceptAdmin")
    tickets.send(BEN.address, "acceptAdmin")
    assert [tickets.call("admin"), tickets.call("owner")] == [BEN.address, BEN.address]
    with pytest.raises(Reverted, match="NotAdmin"):
        tickets.send(ADMIN, "cancelEvent")
    with pytest.raises(Reverted, match="NotPendingAdmin"):
        tickets.send(BEN.address, "acceptAdmin")


def test_a_proposal_is_replaced_or_withdrawn(chain: RevmChain, capped_tickets: Contract) -> None:
    tickets = capped_tickets
    tickets.send(ADMIN, "proposeAdmin", BEN.address)
    tickets.send(ADMIN, "proposeAdmin", ANNA.address)
    assert tickets.call("pendingAdmin") == (ANNA.address, START + 2 * DAY)
    tickets.send(ADMIN, "proposeAdmin", ZERO)
    assert tickets.call("pendingAdmin") == (ZERO, 0)
    chain.set_time(START + 3 * DAY)
    for former in (BEN.address, ANNA.address):
        with pytest.raises(Reverted, match="NotPendingAdmin"):
            tickets.send(former, "acceptAdmin")


# ---- stops


@pytest.mark.parametrize("what", [1, 2, 4])
def test_a_stop_stops_what_it_names_and_nothing_else(platform: Platform, what: int) -> None:
    tickets = platform.create(Class(policy=world.OPEN), Class())
    mint(tickets, 1, [ANNA.address])
    made = offer(platform.market, tickets, TICKET, ANNA, 1)
    assert tickets.send(PAUSER_KEY, "stop", what).named("StopsChanged") == [{"stops": what}]
    attempts: dict[int, list[Callable[[], object]]] = {
        1: [lambda: mint(tickets, 2, people(1))],
        2: [
            lambda: tickets.send(ANNA.address, "transferFrom", ANNA.address, BEN.address, TICKET),
            lambda: gift(tickets, TICKET, ANNA, BEN.address),
            lambda: made.settle(BEN.address),
            lambda: made.fill(BEN.address),
        ],
        4: [lambda: tickets.send(GATE_KEY, "redeemWords", [TICKET >> 7], [1])],
    }
    for attempt in attempts[what]:
        with pytest.raises(Reverted) as refused:
            attempt()
        assert (refused.value.name, refused.value.arguments) == ("Stopped", (what,))
    assert tickets.call("classInfo", 0)[10] == (what == 2)
    for other, (works, *_) in attempts.items():
        if other != what:
            works()


def test_stops_add_up_and_are_resumed_one_by_one(capped_tickets: Contract) -> None:
    capped_tickets.send(PAUSER_KEY, "stop", 1)
    capped_tickets.send(PAUSER_KEY, "stop", 6)
    assert capped_tickets.send(ADMIN, "resume", 3).named("StopsChanged") == [{"stops": 4}]
    assert capped_tickets.call("classInfo", 0)[10] is False
    for what in (0, 8, 255):
        with pytest.raises(Reverted, match="ConfigInvalid"):
            capped_tickets.send(PAUSER_KEY, "stop", what)


def test_a_class_added_while_moves_are_stopped_is_stopped_too(capped_tickets: Contract) -> None:
    capped_tickets.send(PAUSER_KEY, "stop", 2)
    capped_tickets.send(ADMIN, "addClass", Class(policy=world.OPEN).abi())
    mint(capped_tickets, 1, [ANNA.address], class_=1)
    with pytest.raises(Reverted, match="Stopped"):
        capped_tickets.send(ANNA.address, "transferFrom", ANNA.address, BEN.address, TICKET)
    capped_tickets.send(ADMIN, "resume", 2)
    capped_tickets.send(ANNA.address, "transferFrom", ANNA.address, BEN.address, TICKET)


def test_a_cancelled_event_stays_cancelled(platform: Platform) -> None:
    tickets = platform.create(Class(policy=world.OPEN))
    mint(tickets, 1, [ANNA.address, world.CUSTODY])
    assert tickets.send(ADMIN, "cancelEvent").named("EventCancelled") == [{}]
    tickets.send(ADMIN, "resume", 7)
    in_custody = next(t for t in (TICKET, TICKET + 1) if tickets.call("ownerOf", t) == world.CUSTODY)
    hers = TICKET + TICKET + 1 - in_custody
    attempts: tuple[Callable[[], object], ...] = (
        lambda: mint(tickets, 2, people(1)),
        lambda: tickets.send(ANNA.address, "transferFrom", ANNA.address, BEN.address, hers),
        lambda: gift(tickets, hers, ANNA, BEN.address),
        lambda: world.claim(tickets, in_custody, BEN.address),
        lambda: tickets.send(GATE_KEY, "redeemWords", [TICKET >> 7], [1]),
        lambda: tickets.send(ADMIN, "addClass", Class().abi()),
        lambda: tickets.send(ADMIN, "cancelEvent"),
    )
    for attempt in attempts:
        with pytest.raises(Reverted, match="CancelledEvent"):
            attempt()


# ---- classes


def test_capacity_moves_but_never_below_what_is_outstanding(platform: Platform) -> None:
    tickets = platform.create(Class(capacity=5))
    mint(tickets, 1, people(4))
    with pytest.raises(Reverted) as refused:
        tickets.send(ADMIN, "setCapacity", 0, 3)
    assert (refused.value.name, refused.value.arguments) == ("CapacityBelowIssued", (0, 3, 4))
    tickets.send(ADMIN, "setCapacity", 0, 4)
    with pytest.raises(Reverted, match="CapacityExceeded"):
        mint(tickets, 2, people(1))
    tickets.send(ADMIN, "setCapacity", 0, 2**32 - 1)
    mint(tickets, 2, people(1))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"label": ""}, b"label"),
        ({"label": "x" * 32}, b"label"),
        ({"capacity": 0}, b"capacity"),
        ({"royalty_bps": 10_001}, b"royaltyBps"),
        ({"opens": 5, "closes": 5}, b"closes"),
        ({"payment_token": account("coin"), "units_per_minor": 0}, b"unitsPerMinor"),
    ],
)
def test_a_class_that_cannot_work_is_refused_with_the_fields_name(
    platform: Platform, capped_tickets: Contract, change: dict[str, Any], field: bytes
) -> None:
    for attempt in (
        lambda: capped_tickets.send(ADMIN, "addClass", Class(**change).abi()),
        lambda: platform.create(Class(**change), name="other"),
    ):
        with pytest.raises(Reverted) as refused:
            attempt()
        assert (refused.value.name, refused.value.arguments) == ("ConfigInvalid", (field.ljust(32, b"\0"),))


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"admin": ZERO}, "ZeroAddress"),
        ({"custody": ZERO}, "ConfigInvalid"),
        ({"payee": ZERO}, "ConfigInvalid"),
        ({"grace_seconds": 7 * DAY + 1}, "ConfigInvalid"),
        ({"roles": [(ZERO, 1)]}, "ZeroAddress"),
        ({"roles": [(BEN.address, 0)]}, "UnknownRoles"),
        ({"classes": [Class().abi()] * 65}, "ConfigInvalid"),
    ],
)
def test_an_event_that_cannot_work_is_refused(platform: Platform, change: dict[str, Any], error: str) -> None:
    with pytest.raises(Reverted, match=error):
        platform.factory.send(world.DEPLOYER, "createEvent", world.event_config(**change))
    with pytest.raises(Reverted, match="ConfigInvalid"):
        platform.factory.send(world.DEPLOYER, "createEvent", world.event_config(name=""))


def test_unknown_classes_are_named(capped_tickets: Contract) -> None:
    for attempt in (
        lambda: mint(capped_tickets, 1, people(1), class_=1),
        lambda: capped_tickets.call("classInfo", 1),
        lambda: capped_tickets.call("paymentOf", 2**200),
        lambda: capped_tickets.send(ADMIN, "setCapacity", 1, 9),
        lambda: capped_tickets.send(ADMIN, "setTimes", 1, 1, 2),
        lambda: capped_tickets.send(ADMIN, "setPolicy", 1, world.FROZEN),
    ):
        with pytest.raises(Reverted, match="UnknownClass"):
            attempt()
