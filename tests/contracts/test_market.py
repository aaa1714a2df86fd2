"""Asks, settlements, orders, and who is owed what (SPEC 8.7)."""

import pytest

from tests.contracts import world
from tests.contracts.compiled import hostile
from tests.contracts.signing import Signer
from tests.contracts.world import (
    ADMIN,
    DAY,
    PAYEE,
    SETTLER_KEY,
    ZERO,
    Class,
    Platform,
    gift,
    mint,
    offer,
    refused,
    token_id,
)
from tests.support.evm import START, Contract, Reverted, RevmChain, account

ANNA, BEN, CARA = Signer("anna"), Signer("ben"), Signer("cara")
TICKET = token_id(1, 0)
PRICE = 5_400  # minor units
UNIT = 10**14  # wei for one minor unit
HONEST, KEEPS_A_PART, ANSWERS_FALSE, REENTERS = range(4)
SALT = b"\x07" * 32


@pytest.fixture
def tickets(capped_tickets: Contract) -> Contract:
    mint(capped_tickets, 1, [ANNA.address])
    return capped_tickets


def owed(market: Contract, who: str, token: str = ZERO) -> int:
    return int(market.call("owed", token, who))


# ---- filling


def test_a_fill_moves_the_ticket_and_credits_seller_and_organiser(tickets: Contract, market: Contract) -> None:
    made = offer(market, tickets, TICKET, ANNA, PRICE)
    assert made.quote() == (ZERO, PRICE * UNIT, PRICE * UNIT * 5 // 100, PAYEE)
    receipt = made.fill(BEN.address)
    assert receipt.named("AskFilled") == [
        {
            "tickets": tickets.address,
            "tokenId": TICKET,
            "seller": ANNA.address,
            "to": BEN.address,
            "price": PRICE,
            "token": ZERO,
            "units": PRICE * UNIT,
            "royalty": PRICE * UNIT // 20,
        }
    ]
    assert tickets.call("ownerOf", TICKET) == BEN.address
    assert [owed(market, ANNA.address), owed(market, PAYEE)] == [PRICE * UNIT * 95 // 100, PRICE * UNIT // 20]
    assert market.chain.balance(market.address) == PRICE * UNIT


def test_what_is_owed_is_fetched_once(tickets: Contract, market: Contract) -> None:
    offer(market, tickets, TICKET, ANNA, PRICE).fill(BEN.address)
    purse = account("purse")
    market.send(ANNA.address, "withdraw", ZERO, purse)
    assert market.chain.balance(purse) == PRICE * UNIT * 95 // 100
    with pytest.raises(Reverted) as refused:
        market.send(ANNA.address, "withdraw", ZERO, purse)
    assert (refused.value.name, refused.value.arguments) == ("NothingOwed", (ZERO, ANNA.address))
    market.send(PAYEE, "withdraw", ZERO, PAYEE)
    assert market.chain.balance(market.address) == 0


@pytest.mark.parametrize("difference", [-1, 1, -PRICE * UNIT])
def test_the_price_is_paid_exactly(tickets: Contract, market: Contract, difference: int) -> None:
    with pytest.raises(Reverted) as refused:
        offer(market, tickets, TICKET, ANNA, PRICE).fill(BEN.address, value=PRICE * UNIT + difference)
    assert (refused.value.name, refused.value.arguments) == ("WrongPayment", (PRICE * UNIT, PRICE * UNIT + difference))
    assert tickets.call("ownerOf", TICKET) == ANNA.address


def test_an_ask_bound_to_a_buyer_is_for_nobody_else(tickets: Contract, market: Contract) -> None:
    made = offer(market, tickets, TICKET, ANNA, PRICE, buyer=BEN.address)
    with pytest.raises(Reverted, match="NotForBuyer"):
        made.fill(CARA.address)
    made.fill(CARA.address, to=BEN.address)
    assert tickets.call("ownerOf", TICKET) == BEN.address


@pytest.mark.parametrize(("late", "filled"), [(-1, True), (0, True), (1, False)])
def test_an_ask_ends_with_its_deadline(
    chain: RevmChain, tickets: Contract, market: Contract, late: int, filled: bool
) -> None:
    made = offer(market, tickets, TICKET, ANNA, PRICE, deadline=START + DAY)
    chain.set_time(START + DAY + late)
    if filled:
        made.fill(BEN.address)
    else:
        with pytest.raises(Reverted) as refused:
            made.fill(BEN.address)
        assert (refused.value.name, refused.value.arguments) == ("AskExpired", (START + DAY,))


def test_a_cancelled_ask_cannot_be_filled_and_others_can(tickets: Contract, market: Contract) -> None:
    made, other = (offer(market, tickets, TICKET, ANNA, price) for price in (PRICE, PRICE - 1))
    receipt = market.send(ANNA.address, "cancelAsk", made.ask.abi())
    digest = made.ask.digest(market.address)
    assert receipt.named("AskCancelled") == [{"seller": ANNA.address, "digest": digest}]
    assert market.call("isCancelled", ANNA.address, digest)
    with pytest.raises(Reverted, match="AskIsCancelled"):
        made.fill(BEN.address)
    with pytest.raises(Reverted, match="AskIsCancelled"):
        market.send(ANNA.address, "cancelAsk", made.ask.abi())
    other.fill(BEN.address)


def test_only_the_seller_cancels(tickets: Contract, market: Contract) -> None:
    made = offer(market, tickets, TICKET, ANNA, PRICE)
    market.send(CARA.address, "cancelAsk", made.ask.abi())
    made.fill(BEN.address)


def test_raising_the_counter_voids_every_ask(tickets: Contract, market: Contract) -> None:
    old = [offer(market, tickets, TICKET, ANNA, price) for price in (1, 2, 3)]
    assert market.send(ANNA.address, "cancelAllAsks").named("CounterRaised") == [{"seller": ANNA.address, "counter": 1}]
    for made in old:
        with pytest.raises(Reverted) as refused:
            made.fill(BEN.address)
        assert (refused.value.name, refused.value.arguments) == ("CounterMismatch", (ANNA.address, 1, 0))
    offer(market, tickets, TICKET, ANNA, PRICE).fill(BEN.address)


def test_a_market_that_knows_only_the_abi_fills_a_consented_ask(
    chain: RevmChain, tickets: Contract, market: Contract
) -> None:
    other = chain.deploy("", artifact=hostile("OtherMarket"))
    made = offer(market, tickets, TICKET, ANNA, PRICE)
    chain.fund(BEN.address, PRICE * UNIT)
    arguments = (market.address, made.ask.abi(), BEN.address, made.signature, made.consent)
    other.send(BEN.address, "buyFor", *arguments, value=PRICE * UNIT)
    assert tickets.call("ownerOf", TICKET) == BEN.address
    assert owed(market, ANNA.address) == PRICE * UNIT * 95 // 100


def test_a_class_that_is_not_sold_on_chain_is_settled_only(platform: Platform, market: Contract) -> None:
    tickets = platform.create(Class(units_per_minor=0))
    mint(tickets, 1, [ANNA.address])
    made = offer(market, tickets, TICKET, ANNA, PRICE)
    with pytest.raises(Reverted) as refused:
        made.fill(BEN.address, value=0)
    assert (refused.value.name, refused.value.arguments) == ("NotSoldOnChain", (tickets.address, 0))
    made.settle(BEN.address)


# ---- payment in an ERC-20


def coin(platform: Platform, manner: int = HONEST) -> tuple[Contract, Contract]:
    """A coin, and an event paid in it, 10^4 units for a minor unit. Anna holds a ticket, Ben has coins."""
    token = platform.chain.deploy("", manner, artifact=hostile("Token"))
    tickets = platform.create(Class(payment_token=token.address, units_per_minor=10**4), name=f"coin {manner}")
    mint(tickets, 1, [ANNA.address])
    token.send(BEN.address, "give", BEN.address, 10**9)
    token.send(BEN.address, "approve", platform.market.address, 10**9)
    return token, tickets


def test_an_erc20_is_paid_and_fetched(platform: Platform, market: Contract) -> None:
    token, tickets = coin(platform)
    offer(market, tickets, TICKET, ANNA, PRICE).fill(BEN.address, value=0)
    assert token.call("balanceOf", BEN.address) == 10**9 - PRICE * 10**4
    assert owed(market, ANNA.address, token.address) == PRICE * 10**4 * 95 // 100
    market.send(ANNA.address, "withdraw", token.address, ANNA.address)
    assert token.call("balanceOf", ANNA.address) == PRICE * 10**4 * 95 // 100


def test_wei_sent_along_with_an_erc20_is_refused(platform: Platform, market: Contract) -> None:
    _, tickets = coin(platform)
    with pytest.raises(Reverted) as refused:
        offer(market, tickets, TICKET, ANNA, PRICE).fill(BEN.address, value=1)
    assert (refused.value.name, refused.value.arguments) == ("WrongPayment", (0, 1))


@pytest.mark.parametrize(
    ("manner", "error"), [(KEEPS_A_PART, "ShortPayment"), (ANSWERS_FALSE, "SafeERC20FailedOperation")]
)
def test_a_token_that_delivers_less_is_refused(platform: Platform, market: Contract, manner: int, error: str) -> None:
    _, tickets = coin(platform, manner)
    with pytest.raises(Reverted, match=error):
        offer(market, tickets, TICKET, ANNA, PRICE).fill(BEN.address, value=0)
    assert tickets.call("ownerOf", TICKET) == ANNA.address


# ---- settlement of what was paid outside the chain


def test_a_settlement_moves_the_ticket_keeps_the_price_and_moves_no_money(tickets: Contract, market: Contract) -> None:
    receipt = offer(market, tickets, TICKET, ANNA, PRICE, consent=False).settle(BEN.address, payment=b"\x05" * 32)
    settled = receipt.named("SaleSettled")[0]
    assert (settled["price"], settled["paymentRef"], settled["to"]) == (PRICE, b"\x05" * 32, BEN.address)
    assert tickets.call("lastPaidOf", TICKET) == PRICE
    assert [owed(market, ANNA.address), owed(market, PAYEE)] == [0, 0]


def test_only_a_settler_settles_and_only_on_the_sellers_ask(tickets: Contract, market: Contract) -> None:
    made = offer(market, tickets, TICKET, ANNA, PRICE)
    for stranger in (BEN.address, world.RELAYER_KEY, world.ISSUER_KEY):
        with pytest.raises(Reverted, match="MissingRole"):
            made.settle(BEN.address, by=stranger)
    forged = offer(market, tickets, TICKET, BEN, PRICE)
    with pytest.raises(Reverted, match="SellerSignatureInvalid"):
        forged.settle(BEN.address)


# ---- primary sales


def pay(
    market: Contract,
    tickets: Contract,
    payer: str,
    *,
    amount: int = 10_000,
    salt: bytes = SALT,
    value: int | None = None,
) -> bytes:
    value = amount * UNIT if value is None else value
    market.chain.fund(payer, market.chain.balance(payer) + value)
    receipt = market.send(payer, "payOrder", tickets.address, 0, amount, salt, value=value)
    return bytes(receipt.named("OrderPaid")[0]["orderRef"])


def test_an_order_is_paid_once_under_its_reference(tickets: Contract, market: Contract) -> None:
    ref = pay(market, tickets, BEN.address)
    assert ref == market.call("orderRefOf", tickets.address, 0, 10_000, SALT)
    assert market.call("orderOf", ref) == (BEN.address, START, 1, ZERO, 10_000 * UNIT, tickets.address, 0)
    with pytest.raises(Reverted) as refused:
        pay(market, tickets, CARA.address)
    assert (refused.value.name, refused.value.arguments) == ("OrderStateInvalid", (ref, 1))


def test_paying_less_pays_another_reference(tickets: Contract, market: Contract) -> None:
    cheap = pay(market, tickets, CARA.address, amount=1)
    assert cheap != pay(market, tickets, BEN.address)


def test_a_released_order_is_the_organisers(tickets: Contract, market: Contract) -> None:
    ref = pay(market, tickets, BEN.address)
    assert market.send(SETTLER_KEY, "releaseOrders", [ref]).named("OrderReleased") == [
        {"orderRef": ref, "payee": PAYEE}
    ]
    assert [owed(market, PAYEE), owed(market, BEN.address)] == [10_000 * UNIT, 0]
    for call in ("releaseOrders", "refundOrders"):
        with pytest.raises(Reverted, match="OrderStateInvalid"):
            market.send(SETTLER_KEY, call, [ref])
    with pytest.raises(Reverted, match="OrderStateInvalid"):
        market.send(BEN.address, "reclaimOrder", ref)


def test_a_refunded_order_is_the_payers(tickets: Contract, market: Contract) -> None:
    ref = pay(market, tickets, BEN.address)
    assert market.send(SETTLER_KEY, "refundOrders", [ref]).named("OrderRefunded") == [
        {"orderRef": ref, "payer": BEN.address}
    ]
    assert [owed(market, PAYEE), owed(market, BEN.address)] == [0, 10_000 * UNIT]
    with pytest.raises(Reverted, match="OrderStateInvalid"):
        market.send(SETTLER_KEY, "releaseOrders", [ref])


def test_only_the_events_settler_decides_about_its_orders(
    platform: Platform, tickets: Contract, market: Contract
) -> None:
    ref = pay(market, tickets, BEN.address)
    for call in ("releaseOrders", "refundOrders"):
        with pytest.raises(Reverted, match="NotSettler"):
            market.send(ADMIN, call, [ref])
        with pytest.raises(Reverted, match="OrderStateInvalid"):
            market.send(SETTLER_KEY, call, [b"\0" * 32])


@pytest.mark.parametrize("call", ["releaseOrders", "refundOrders"])
def test_an_empty_list_of_orders_is_refused(market: Contract, call: str) -> None:
    refused(lambda: market.send(SETTLER_KEY, call, []), "EmptyList")


def test_a_forgotten_order_is_reclaimed_after_thirty_days(
    chain: RevmChain, tickets: Contract, market: Contract
) -> None:
    ref = pay(market, tickets, BEN.address)
    chain.set_time(START + 30 * DAY - 1)
    with pytest.raises(Reverted) as refused:
        market.send(BEN.address, "reclaimOrder", ref)
    assert (refused.value.name, refused.value.arguments) == ("ReclaimTooEarly", (START + 30 * DAY,))
    chain.set_time(START + 30 * DAY)
    with pytest.raises(Reverted, match="NotPayer"):
        market.send(CARA.address, "reclaimOrder", ref)
    market.send(BEN.address, "reclaimOrder", ref)
    assert owed(market, BEN.address) == 10_000 * UNIT


def test_an_order_of_a_cancelled_event_is_reclaimed_at_once(tickets: Contract, market: Contract) -> None:
    ref = pay(market, tickets, BEN.address)
    tickets.send(ADMIN, "cancelEvent")
    market.send(BEN.address, "reclaimOrder", ref)
    assert owed(market, BEN.address) == 10_000 * UNIT
    with pytest.raises(Reverted, match="SaleClosed"):
        pay(market, tickets, BEN.address, salt=b"\x08" * 32)


@pytest.mark.parametrize("amount", [0, 2**40, 2**256 - 1])
def test_an_amount_that_cannot_be_is_refused(tickets: Contract, market: Contract, amount: int) -> None:
    with pytest.raises(Reverted, match="AmountInvalid"):
        pay(market, tickets, BEN.address, amount=amount, value=0)


def test_what_is_not_sold_cannot_be_ordered(platform: Platform, tickets: Contract, market: Contract) -> None:
    with pytest.raises(Reverted, match="UnknownClass"):
        market.send(BEN.address, "payOrder", tickets.address, 9, 1, SALT)
    offline = platform.create(Class(units_per_minor=0), name="offline")
    with pytest.raises(Reverted, match="NotSoldOnChain"):
        market.send(BEN.address, "payOrder", offline.address, 0, 1, SALT)
    tickets.send(world.PAUSER_KEY, "stop", 1)
    with pytest.raises(Reverted, match="SaleClosed"):
        pay(market, tickets, BEN.address)


def test_money_of_an_erc20_order_goes_back_in_the_same_coin(platform: Platform, market: Contract) -> None:
    token, tickets = coin(platform)
    receipt = market.send(BEN.address, "payOrder", tickets.address, 0, 7, SALT)
    ref = receipt.named("OrderPaid")[0]["orderRef"]
    market.send(SETTLER_KEY, "refundOrders", [ref])
    market.send(BEN.address, "withdraw", token.address, BEN.address)
    assert token.call("balanceOf", BEN.address) == 10**9


def test_a_gift_voids_an_ask(tickets: Contract, market: Contract) -> None:
    made = offer(market, tickets, TICKET, ANNA, PRICE)
    gift(tickets, TICKET, ANNA, BEN.address)
    gift(tickets, TICKET, BEN, ANNA.address)
    with pytest.raises(Reverted) as refused:
        made.fill(CARA.address)
    assert (refused.value.name, refused.value.arguments) == ("EpochMismatch", (TICKET, 2, 0))
