"""The table of policy and path (SPEC 8.6), times, freeze and grace, the cap, the number of moves, custody."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.contracts import world
from tests.contracts.signing import FAR, Signer, claim_digest, move_digest
from tests.contracts.world import (
    ADMIN,
    CUSTODY,
    DAY,
    FROZEN,
    GRACE,
    MARKET_ONLY,
    OPEN,
    RELAYER_KEY,
    RELAYER_SIGNER,
    SETTLER_KEY,
    SOULBOUND,
    Class,
    Platform,
    claim,
    gift,
    mint,
    offer,
    token_id,
)
from tests.support.evm import START, Contract, Receipt, Reverted, RevmChain, account

ANNA, BEN = Signer("anna"), Signer("ben")
TICKET, IN_CUSTODY = token_id(1, 0), token_id(2, 0)
CAP = 5_500  # minor units: face value 5,000, cap 110 %


def event(platform: Platform, **fields: Any) -> Contract:
    """Anna holds one ticket, custody another."""
    tickets = platform.create(Class(**fields))
    mint(tickets, 1, [ANNA.address])
    mint(tickets, 2, [CUSTODY])
    return tickets


Path = Callable[[Platform, Contract], Receipt]


def by_transfer(platform: Platform, tickets: Contract) -> Receipt:
    return tickets.send(ANNA.address, "transferFrom", ANNA.address, BEN.address, TICKET)


def by_safe_transfer(platform: Platform, tickets: Contract) -> Receipt:
    return tickets.send(ANNA.address, "safeTransferFrom", ANNA.address, BEN.address, TICKET)


def by_safe_transfer_with_data(platform: Platform, tickets: Contract) -> Receipt:
    return tickets.send(ANNA.address, "safeTransferFrom", ANNA.address, BEN.address, TICKET, b"x")


def by_approved(platform: Platform, tickets: Contract) -> Receipt:
    tickets.send(ANNA.address, "approve", BEN.address, TICKET)
    return tickets.send(BEN.address, "transferFrom", ANNA.address, BEN.address, TICKET)


def by_operator(platform: Platform, tickets: Contract) -> Receipt:
    tickets.send(ANNA.address, "setApprovalForAll", BEN.address, True)
    return tickets.send(BEN.address, "safeTransferFrom", ANNA.address, BEN.address, TICKET)


def by_gift(platform: Platform, tickets: Contract) -> Receipt:
    return gift(tickets, TICKET, ANNA, BEN.address)


def by_ask(platform: Platform, tickets: Contract) -> Receipt:
    return offer(platform.market, tickets, TICKET, ANNA, CAP).fill(BEN.address)


def by_fiat(platform: Platform, tickets: Contract) -> Receipt:
    return offer(platform.market, tickets, TICKET, ANNA, CAP, consent=False).settle(BEN.address)


TRANSFERS: list[Path] = [by_transfer, by_safe_transfer, by_safe_transfer_with_data, by_approved, by_operator]
OTHERS: list[Path] = [by_gift, by_ask, by_fiat]
PATHS = TRANSFERS + OTHERS

ALLOWED = {OPEN: PATHS, MARKET_ONLY: OTHERS, FROZEN: [], SOULBOUND: []}


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.__name__)
@pytest.mark.parametrize("policy", ALLOWED, ids=["open", "market_only", "frozen", "soulbound"])
def test_every_path_follows_the_table(platform: Platform, policy: int, path: Path) -> None:
    tickets = event(platform, policy=policy)
    if path in ALLOWED[policy]:
        path(platform, tickets)
        assert tickets.call("ownerOf", TICKET) == BEN.address
        assert tickets.call("epochOf", TICKET) == 1
    else:
        with pytest.raises(Reverted) as refused:
            path(platform, tickets)
        assert refused.value.name == "PathNotAllowed"
        assert refused.value.arguments[:2] == (TICKET, policy)
        assert tickets.call("ownerOf", TICKET) == ANNA.address


@pytest.mark.parametrize("policy", ALLOWED, ids=["open", "market_only", "frozen", "soulbound"])
def test_claim_is_exempt_from_policy_freeze_and_number_of_moves(platform: Platform, policy: int) -> None:
    tickets = event(platform, policy=policy, opens=0, closes=START - DAY, max_moves=1)
    receipt = claim(tickets, IN_CUSTODY, ANNA.address)
    assert receipt.named("TicketClaimed") == [{"tokenId": IN_CUSTODY, "to": ANNA.address}]
    assert tickets.call("ownerOf", IN_CUSTODY) == ANNA.address


# ---- consent


@pytest.mark.parametrize("path", ["gift", "ask"])
def test_under_the_default_policy_nothing_moves_without_the_platforms_consent(
    platform: Platform, capped_tickets: Contract, path: str
) -> None:
    mint(capped_tickets, 1, [ANNA.address])
    asked = offer(platform.market, capped_tickets, TICKET, ANNA, CAP, consent=False)
    attempts = {
        "gift": lambda: gift(capped_tickets, TICKET, ANNA, BEN.address, by=BEN.address),
        "ask": lambda: asked.fill(BEN.address),
    }
    with pytest.raises(Reverted, match="ConsentMissing"):
        attempts[path]()


def test_a_stranger_may_submit_a_gift_that_carries_consent(capped_tickets: Contract) -> None:
    mint(capped_tickets, 1, [ANNA.address])
    digest = move_digest(capped_tickets, TICKET, BEN.address)
    arguments = (TICKET, BEN.address, FAR, ANNA.sign(digest), RELAYER_SIGNER.sign(digest))
    capped_tickets.send(account("stranger"), "moveWithSig", *arguments)
    assert capped_tickets.call("ownerOf", TICKET) == BEN.address


def test_consent_by_anybody_else_is_none(capped_tickets: Contract) -> None:
    mint(capped_tickets, 1, [ANNA.address])
    digest = move_digest(capped_tickets, TICKET, BEN.address)
    for consent in (BEN.sign(digest), ANNA.sign(digest), RELAYER_SIGNER.sign(b"\0" * 32), b"\0" * 65, b"", b"\1"):
        with pytest.raises(Reverted, match="ConsentMissing"):
            capped_tickets.send(BEN.address, "moveWithSig", TICKET, BEN.address, FAR, ANNA.sign(digest), consent)


def test_under_open_a_holder_moves_alone(open_tickets: Contract) -> None:
    mint(open_tickets, 1, [ANNA.address])
    gift(open_tickets, TICKET, ANNA, BEN.address, by=account("stranger"))
    assert open_tickets.call("ownerOf", TICKET) == BEN.address


# ---- the cap


@pytest.mark.parametrize("path", ["ask", "fiat"])
@pytest.mark.parametrize(
    ("price", "sold"), [(0, True), (CAP - 1, True), (CAP, True), (CAP + 1, False), (2**40 - 1, False)]
)
def test_a_resale_never_exceeds_the_cap(
    platform: Platform, capped_tickets: Contract, path: str, price: int, sold: bool
) -> None:
    mint(capped_tickets, 1, [ANNA.address])
    made = offer(platform.market, capped_tickets, TICKET, ANNA, price)
    attempt = made.fill if path == "ask" else made.settle
    if sold:
        attempt(BEN.address)
        assert capped_tickets.call("lastPaidOf", TICKET) == price
    else:
        with pytest.raises(Reverted) as refused:
            attempt(BEN.address)
        assert (refused.value.name, refused.value.arguments) == ("PriceAboveCap", (TICKET, price, CAP))


@pytest.mark.parametrize(
    ("face", "bps", "cap"),
    [(999, 10_050, 1_003), (0, 20_000, 0), (1, 9_999, 0), (10_000, 0, 0), (2**40 - 1, 65_535, 2**40 - 1)],
)
def test_the_cap_is_rounded_down_and_never_leaves_its_field(platform: Platform, face: int, bps: int, cap: int) -> None:
    tickets = event(platform, face_value=face, cap_bps=bps, units_per_minor=1)
    with pytest.raises(Reverted, match=r"PriceAboveCap|AmountInvalid"):
        offer(platform.market, tickets, TICKET, ANNA, cap + 1).settle(BEN.address)
    offer(platform.market, tickets, TICKET, ANNA, cap).settle(BEN.address)
    assert tickets.call("lastPaidOf", TICKET) == cap


def test_open_has_no_cap_below_what_a_price_can_be(platform: Platform) -> None:
    tickets = event(platform, policy=OPEN)
    with pytest.raises(Reverted, match="PriceAboveCap"):
        offer(platform.market, tickets, TICKET, ANNA, 2**40).settle(BEN.address)
    offer(platform.market, tickets, TICKET, ANNA, 2**40 - 1).settle(BEN.address)
    assert tickets.call("lastPaidOf", TICKET) == 2**40 - 1


def test_the_last_price_is_kept_through_gifts(platform: Platform, capped_tickets: Contract) -> None:
    mint(capped_tickets, 1, [ANNA.address])
    offer(platform.market, capped_tickets, TICKET, ANNA, 5_100).settle(BEN.address)
    gift(capped_tickets, TICKET, BEN, ANNA.address)
    assert capped_tickets.call("lastPaidOf", TICKET) == 5_100


# ---- times, freeze, grace


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.__name__)
def test_no_path_is_open_before_its_time(platform: Platform, chain: RevmChain, path: Path) -> None:
    tickets = event(platform, policy=OPEN, opens=START + DAY)
    chain.set_time(START + DAY - 1)
    with pytest.raises(Reverted, match="NotOpenYet"):
        path(platform, tickets)
    chain.set_time(START + DAY)
    path(platform, tickets)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.__name__)
def test_after_the_freeze_nobody_but_the_relayer_moves_a_ticket(
    platform: Platform, chain: RevmChain, path: Path
) -> None:
    tickets = event(platform, policy=OPEN, closes=START + DAY)
    chain.set_time(START + DAY)
    if path is by_gift:
        with pytest.raises(Reverted, match="MovesClosed"):
            gift(tickets, TICKET, ANNA, BEN.address, by=account("stranger"))
        by_gift(platform, tickets)
        return
    with pytest.raises(Reverted, match="MovesClosed"):
        path(platform, tickets)


@pytest.mark.parametrize(("late", "moved"), [(-1, True), (0, True), (GRACE - 1, True), (GRACE, False), (DAY, False)])
def test_the_relayers_grace_ends_to_the_second(platform: Platform, chain: RevmChain, late: int, moved: bool) -> None:
    tickets = event(platform, closes=START + DAY)
    chain.set_time(START + DAY + late)
    if moved:
        gift(tickets, TICKET, ANNA, BEN.address)
    else:
        with pytest.raises(Reverted) as refused:
            gift(tickets, TICKET, ANNA, BEN.address)
        assert (refused.value.name, refused.value.arguments) == ("MovesClosed", (TICKET, START + DAY))


def test_within_the_grace_a_consented_gift_still_needs_the_relayer_to_send_it(
    platform: Platform, chain: RevmChain
) -> None:
    tickets = event(platform, closes=START + DAY)
    chain.set_time(START + DAY + 1)
    digest = move_digest(tickets, TICKET, BEN.address)
    arguments = (TICKET, BEN.address, FAR, ANNA.sign(digest), RELAYER_SIGNER.sign(digest))
    with pytest.raises(Reverted, match="MovesClosed"):
        tickets.send(account("stranger"), "moveWithSig", *arguments)
    tickets.send(RELAYER_KEY, "moveWithSig", *arguments)


def test_within_the_grace_a_fill_or_settlement_is_the_relayers_too(platform: Platform, chain: RevmChain) -> None:
    tickets = event(platform, closes=START + DAY)
    chain.set_time(START + DAY + 1)
    made = offer(platform.market, tickets, TICKET, ANNA, CAP)
    with pytest.raises(Reverted, match="MovesClosed"):
        made.fill(BEN.address)
    with pytest.raises(Reverted, match="MovesClosed"):
        made.settle(BEN.address)
    tickets.send(ADMIN, "grantRoles", SETTLER_KEY, world.RELAYER)
    made.settle(BEN.address)


def test_a_postponed_event_thaws(platform: Platform, chain: RevmChain) -> None:
    tickets = event(platform, closes=START + DAY)
    chain.set_time(START + 2 * DAY)
    receipt = tickets.send(ADMIN, "setTimes", 0, START, START + 30 * DAY)
    assert receipt.named("TimesChanged") == [{"class": 0, "opens": START, "closes": START + 30 * DAY}]
    gift(tickets, TICKET, ANNA, BEN.address)


# ---- number of moves


def test_a_ticket_moves_as_often_as_its_class_allows(platform: Platform) -> None:
    tickets = event(platform, max_moves=2)
    gift(tickets, TICKET, ANNA, BEN.address)
    gift(tickets, TICKET, BEN, ANNA.address)
    with pytest.raises(Reverted) as refused:
        gift(tickets, TICKET, ANNA, BEN.address)
    assert (refused.value.name, refused.value.arguments) == ("MoveLimitReached", (TICKET, 2))


def test_a_claim_costs_its_buyer_no_move(platform: Platform) -> None:
    tickets = event(platform, max_moves=1)
    claim(tickets, IN_CUSTODY, ANNA.address)
    gift(tickets, IN_CUSTODY, ANNA, BEN.address)
    with pytest.raises(Reverted, match="MoveLimitReached"):
        gift(tickets, IN_CUSTODY, BEN, ANNA.address)
    assert tickets.call("epochOf", IN_CUSTODY) == 2


# ---- custody


@pytest.mark.parametrize("policy", [OPEN, MARKET_ONLY])
def test_only_a_claim_takes_a_ticket_out_of_custody(platform: Platform, policy: int) -> None:
    tickets = event(platform, policy=policy)
    with pytest.raises(Reverted, match="CustodyOnly"):
        gift(tickets, IN_CUSTODY, world.CUSTODY_SIGNER, BEN.address)
    with pytest.raises(Reverted, match="CustodyOnly"):
        offer(platform.market, tickets, IN_CUSTODY, world.CUSTODY_SIGNER, CAP).settle(BEN.address)
    with pytest.raises(Reverted, match=r"CustodyOnly|PathNotAllowed"):
        tickets.send(CUSTODY, "transferFrom", CUSTODY, BEN.address, IN_CUSTODY)


@pytest.mark.parametrize("policy", [OPEN, MARKET_ONLY])
def test_nobody_moves_a_ticket_into_custody(platform: Platform, policy: int) -> None:
    tickets = event(platform, policy=policy)
    with pytest.raises(Reverted, match="CustodyOnly"):
        gift(tickets, TICKET, ANNA, CUSTODY)
    with pytest.raises(Reverted, match="CustodyOnly"):
        claim(tickets, IN_CUSTODY, CUSTODY)


def test_a_claim_needs_custodys_signature_and_the_relayer(platform: Platform) -> None:
    tickets = event(platform)
    with pytest.raises(Reverted) as refused:
        claim(tickets, IN_CUSTODY, ANNA.address, by=account("stranger"))
    assert (refused.value.name, refused.value.arguments) == ("MissingRole", (account("stranger"), world.RELAYER))
    forged = ANNA.sign(claim_digest(tickets, IN_CUSTODY, ANNA.address))
    with pytest.raises(Reverted, match="SignatureInvalid"):
        tickets.send(RELAYER_KEY, "claim", IN_CUSTODY, ANNA.address, FAR, forged)
    with pytest.raises(Reverted, match="NotInCustody"):
        claim(tickets, TICKET, BEN.address)


def test_a_claimed_ticket_cannot_be_claimed_again(platform: Platform) -> None:
    tickets = event(platform)
    signature = world.CUSTODY_SIGNER.sign(claim_digest(tickets, IN_CUSTODY, ANNA.address))
    tickets.send(RELAYER_KEY, "claim", IN_CUSTODY, ANNA.address, FAR, signature)
    with pytest.raises(Reverted, match="NotInCustody"):
        tickets.send(RELAYER_KEY, "claim", IN_CUSTODY, ANNA.address, FAR, signature)


# ---- how a policy may change


@pytest.mark.parametrize("old", [OPEN, MARKET_ONLY, FROZEN, SOULBOUND])
@pytest.mark.parametrize("new", [OPEN, MARKET_ONLY, FROZEN, SOULBOUND])
def test_a_policy_becomes_stricter_or_thaws_but_never_free(platform: Platform, old: int, new: int) -> None:
    tickets = event(platform, policy=old)
    allowed = {
        (OPEN, MARKET_ONLY),
        (OPEN, FROZEN),
        (OPEN, SOULBOUND),
        (MARKET_ONLY, FROZEN),
        (MARKET_ONLY, SOULBOUND),
        (FROZEN, MARKET_ONLY),
        (FROZEN, SOULBOUND),
    }
    if (old, new) in allowed:
        assert tickets.send(ADMIN, "setPolicy", 0, new).named("PolicyChanged") == [{"class": 0, "policy": new}]
        assert tickets.call("classInfo", 0)[8] == new
    else:
        with pytest.raises(Reverted) as refused:
            tickets.send(ADMIN, "setPolicy", 0, new)
        assert (refused.value.name, refused.value.arguments) == ("PolicyChangeRefused", (0, old, new))
