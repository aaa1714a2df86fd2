"""Giving a ticket to somebody else's wallet, and taking what others gave (SPEC 4.9, 10.8).

The receiver tells an address, the giver signs, the platform puts it in order at once. As everywhere, what is asked for
is stored before it is sent, and sent again as it was until it is answered.
"""

from eth_utils.address import is_checksum_address, to_checksum_address

from wallet.answers import FoundAnswer, MoveAnswer, TicketAnswer
from wallet.api import Api
from wallet.errors import WalletError
from wallet.i18n import gettext as _
from wallet.opened import OpenedWallet, remember_platform, server_time
from wallet.owner import address_of, owner_account, sign_finding, sign_move
from wallet.purchases import facts
from wallet.records import EventFacts, Giving, PaymentChoice, Purchase, PurchaseState, Ticket
from wallet.transport import Problem
from wallet.trust import check_event

FINDING_SECONDS = 600  # how long a signed wish to find orders holds
MOVE_SECONDS = 30 * 86_400  # how long the chain may be away before a gift is taken back
_TRIES = 2  # the second with the epoch that the platform names


def address_text(address: bytes) -> str:
    """As people pass it on: 0x and 40 digits, whose capitals are a checksum (ERC-55)."""
    return to_checksum_address(address)


def read_address(text: str) -> bytes:
    """20 bytes. Raises `bad_receiver` for what is no address or has a typing error."""
    if not is_checksum_address(text.strip()):
        raise WalletError(
            "bad_receiver",
            _(
                "%s is not an address, or was copied wrongly. Ask the receiver for theirs, which "
                "`truestub-wallet receive` shows, and copy it whole."
            )
            % text,
        )
    return bytes.fromhex(text.strip()[2:])


def own_address(wallet: OpenedWallet, event_tag: bytes) -> bytes:
    """Where others send this wallet's tickets of an event: an address for each event, so that nobody can link them."""
    return address_of(owner_account(wallet.seed, event_tag))


def give(wallet: OpenedWallet, ticket: Ticket, to: bytes) -> Ticket:
    """The ticket is the receiver's when this returns. Repeated, it finishes what was cut off."""
    if ticket.giving is not None and ticket.giving.to != to:
        sentence = _("You gave this ticket to %s, or began to. See: truestub-wallet resume")
        raise WalletError("already_given", sentence % address_text(ticket.giving.to))
    if ticket.giving is not None and ticket.giving.done:
        return ticket
    _check(wallet, ticket, to)
    for _try in range(_TRIES):
        ticket = ticket if ticket.giving is not None else _intend(wallet, ticket, to, ticket.epoch)
        giving = ticket.giving
        assert giving is not None  # noqa: S101 - stored above
        try:
            answer = _send(wallet, ticket, giving)
        except Problem as problem:
            if problem.is_retried:
                raise
            ticket = _stored(wallet, ticket, giving=None)
            epoch = problem.fields.get("epoch")
            if problem.code != "wrong_epoch" or not isinstance(epoch, int) or epoch == giving.epoch:
                raise
            ticket = _intend(wallet, ticket, to, epoch)
            continue
        if answer.state == "taken_back":
            _stored(wallet, ticket, giving=None)
            raise WalletError(
                "taken_back", _("The chain did not take it, so the ticket is still yours. Run: truestub-wallet rekey")
            )
        return _stored(wallet, ticket, giving=giving.model_copy(update={"done": True}), superseded=True)
    raise WalletError("not_given", _("The ticket has changed hands meanwhile. See: truestub-wallet status"))


def unfinished_gifts(wallet: OpenedWallet) -> list[Ticket]:
    """Gifts that were asked for and may not have arrived."""
    return [one for one in wallet.store.all(Ticket) if one.giving is not None and not one.giving.done]


def find(wallet: OpenedWallet, api: Api, event: EventFacts) -> FoundAnswer:
    """What the platform knows of this phrase at an event."""
    account = owner_account(wallet.seed, event.tag)
    expiry = server_time(wallet, api) + FINDING_SECONDS
    signature = sign_finding(account, event.platform_id, event.tag, expiry)
    return api.find_orders(event.slug, address_of(account), expiry, signature)


def received(wallet: OpenedWallet, api: Api, slug: str) -> tuple[Purchase, tuple[TicketAnswer, ...]]:
    """The record under which this wallet keeps what it was given at an event, and what it was given."""
    answer = api.event(slug)
    check_event(answer.platform_id, answer.id, answer.tag)
    remember_platform(wallet, api, answer.platform_id)
    event = facts(answer)
    gifts = find(wallet, api, event).received
    for known in wallet.store.all(Purchase):
        if known.is_received and known.event.id == event.id:
            return known, gifts
    purchase = Purchase(
        id=wallet.new_id(),
        server=api.server,
        event=event,
        lines=(),
        owner=own_address(wallet, event.tag),
        expected_minor=0,
        pay_with=PaymentChoice(method="", token=""),
        created_at=int(wallet.now()),
        state=PurchaseState.DONE,
        takes_over=True,
    )
    if gifts:
        wallet.store.put(purchase)
    return purchase, gifts


def _check(wallet: OpenedWallet, ticket: Ticket, to: bytes) -> None:
    purchase = wallet.store.get(Purchase, str(ticket.purchase))
    if purchase is None or (purchase.owner is None and purchase.placed is None):
        raise WalletError("ticket_gone", _("This wallet has lost the ticket's order. Run: truestub-wallet restore"))
    if ticket.state != "valid":
        sentence = _("The platform no longer honours this ticket (%s); it can't be given away.")
        raise WalletError("ticket_not_valid", sentence % ticket.state)
    if to == purchase.owner:
        raise WalletError("bad_receiver", _("This is your own address. Ask the receiver for theirs."))


def _send(wallet: OpenedWallet, ticket: Ticket, giving: Giving) -> MoveAnswer:
    api = wallet.api(ticket.server)
    if giving.signature:
        return api.move(ticket.id, giving)
    purchase = wallet.store.get(Purchase, str(ticket.purchase))
    assert purchase is not None  # noqa: S101 - checked before
    assert purchase.placed is not None  # noqa: S101 - the same
    return api.claim(ticket.id, giving, purchase.placed.secret)


def _intend(wallet: OpenedWallet, ticket: Ticket, to: bytes, epoch: int) -> Ticket:
    """Sign and store; nothing was sent. A guest has nothing to sign: the platform does, for the order's secret."""
    api, event = wallet.api(ticket.server), ticket.event
    purchase = wallet.store.get(Purchase, str(ticket.purchase))
    if purchase is not None and purchase.owner is None:
        claim = Giving(to=to, epoch=epoch, deadline=0, signature=b"", idempotency_key=str(wallet.new_id()))
        return _stored(wallet, ticket, giving=claim)
    answer = api.event(event.slug)
    if answer.contract is None or answer.chain_id is None:
        raise WalletError("ticket_not_ready", _("The tickets of this event can't change hands yet. Try again later."))
    deadline = server_time(wallet, api) + MOVE_SECONDS
    account = owner_account(wallet.seed, event.tag)
    giving = Giving(
        to=to,
        epoch=epoch,
        deadline=deadline,
        signature=sign_move(account, answer.chain_id, answer.contract, ticket.token_id, epoch, to, deadline),
        idempotency_key=str(wallet.new_id()),
    )
    return _stored(wallet, ticket, giving=giving)


def _stored(wallet: OpenedWallet, ticket: Ticket, **changes: object) -> Ticket:
    ticket = ticket.model_copy(update=changes)
    wallet.store.put(ticket)
    return ticket
