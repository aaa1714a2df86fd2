"""From a paid order to tickets that can be shown: bind this device to each, check what comes back, keep it (SPEC 4)."""

from credential.binding import Binding, sign_possession
from credential.signing import public_key_of
from wallet.answers import TicketAnswer
from wallet.api import Api
from wallet.errors import WalletError
from wallet.giving import received
from wallet.i18n import gettext as _
from wallet.keys import device_key
from wallet.opened import OpenedWallet, remember_platform, server_time
from wallet.owner import owner_account, sign_binding
from wallet.purchases import facts, pay, place, placed_of, settle
from wallet.records import BindingIntent, EventFacts, PaymentChoice, Platform, Purchase, PurchaseState, Ticket
from wallet.transport import Broken, Problem
from wallet.trust import Expected, check_credential, next_key_list, usable_keys

BINDING_SECONDS = 3600  # how long the owner's permission to bind holds
TICKETS_WAIT_SECONDS = 90.0  # for paid tickets to get their numbers: a batch closes within 60 s
_FIRST_POLL_SECONDS, _LONGEST_POLL_SECONDS = 0.3, 3.0
_BIND_TRIES = 3  # requests that differ: another number, epoch or expiry


def carry_on(
    wallet: OpenedWallet,
    purchase: Purchase,
    new_choice: PaymentChoice | None = None,
    wait_seconds: float = TICKETS_WAIT_SECONDS,
) -> Purchase:
    """Do what is left of a purchase, from wherever it stands to its tickets. The normal run and every recovery."""
    if purchase.state is PurchaseState.WANTED:
        purchase = place(wallet, purchase)
    if purchase.state is PurchaseState.HELD:
        purchase = pay(wallet, purchase, new_choice)
    if purchase.state is PurchaseState.PAID:
        purchase = collect(wallet, purchase, wait_seconds)
    return purchase


def collect(wallet: OpenedWallet, purchase: Purchase, wait_seconds: float = TICKETS_WAIT_SECONDS) -> Purchase:
    """PAID to DONE: every ticket bound and stored. Raises `tickets_on_their_way` when the wait is over."""
    api, placed = wallet.api(purchase.server), placed_of(purchase)
    refresh_platform(wallet, api, purchase.event.platform_id)
    ends, delay = wallet.monotonic() + wait_seconds, _FIRST_POLL_SECONDS
    while True:
        reply = api.order(placed.order_id, placed.secret)
        purchase = settle(wallet, purchase, reply.value)
        good = [one for one in reply.value.tickets if one.state in ("valid", "suspended") and not one.moved]
        for ticket in good:
            if ticket.token_id is not None and wallet.store.get(Ticket, str(ticket.ticket_id)) is None:
                purchase = _take(wallet, api, purchase, ticket, take_over=purchase.takes_over)
        held = [wallet.store.get(Ticket, str(ticket.ticket_id)) for ticket in good]  # given away: somebody else's
        if reply.value.tickets and all(held):
            done = purchase.model_copy(update={"state": PurchaseState.DONE})
            wallet.store.put(done)
            return done
        if wallet.monotonic() >= ends:
            raise WalletError(
                "tickets_on_their_way",
                _("Paid. The tickets get their numbers soon; run `truestub-wallet resume` in a minute to fetch them."),
            )
        wallet.sleep(min(reply.retry_after or delay, max(0.0, ends - wallet.monotonic())))
        delay = min(delay * 1.5, _LONGEST_POLL_SECONDS)


def rekey(wallet: OpenedWallet, ticket: Ticket) -> Ticket:
    """Bind a new key to a ticket of this wallet: every older code of it, on any device, is refused from then on."""
    purchase = wallet.store.get(Purchase, str(ticket.purchase))
    if purchase is None:
        raise WalletError("order_not_here", _("This wallet does not have the order of this ticket."))
    api = wallet.api(purchase.server)
    refresh_platform(wallet, api, purchase.event.platform_id)
    for known in _known(wallet, api, purchase):
        if known.ticket_id == ticket.id and known.token_id is not None:
            _take(wallet, api, purchase, known, take_over=True)
            return wallet.store.get(Ticket, ticket.key) or ticket
    raise WalletError("ticket_gone", _("The platform no longer lists this ticket in its order. Ask the organiser."))


def finish_rekeys(wallet: OpenedWallet) -> list[Ticket]:
    """Carry on every `rekey` that was cut off after it had begun."""
    tickets = {ticket.key: ticket for ticket in wallet.store.all(Ticket)}
    return [
        rekey(wallet, tickets[ticket_id])
        for purchase in wallet.store.all(Purchase)
        for ticket_id, intent in purchase.bindings.items()
        if ticket_id in tickets and intent.number > tickets[ticket_id].number
    ]


def receive(wallet: OpenedWallet, api: Api, slug: str) -> list[Ticket]:
    """Take what others gave to this wallet at an event; what it was given before stays as it is."""
    purchase, gifts = received(wallet, api, slug)
    refresh_platform(wallet, api, purchase.event.platform_id)
    for known in gifts:
        held = wallet.store.get(Ticket, str(known.ticket_id))
        new = held is None or held.giving is not None or held.purchase != purchase.id
        if new and known.state in ("valid", "suspended") and known.token_id is not None:
            purchase = _take(wallet, api, purchase, known, take_over=True)
    own = [wallet.store.get(Ticket, str(known.ticket_id)) for known in gifts]
    return [ticket for ticket in own if ticket is not None]


def refresh(wallet: OpenedWallet, purchase: Purchase) -> None:
    """Ask how a purchase's tickets are: on the chain yet, still this device's. Stored."""
    api = wallet.api(purchase.server)
    tickets = _known(wallet, api, purchase)
    remember_platform(wallet, api, purchase.event.platform_id)
    purchase = _with_times(wallet, purchase, facts(api.event(purchase.event.slug)))
    for known in tickets:
        ticket = wallet.store.get(Ticket, str(known.ticket_id))
        if ticket is not None and ticket.purchase == purchase.id:
            gone = known.moved and not purchase.is_received  # else the chain did not take it, or it was given back
            news = {
                "giving": ticket.giving if gone or ticket.giving is None or not ticket.giving.done else None,
                "state": known.state,
                "stage": known.stage,
                "tx_hash": known.tx_hash,
                "superseded": known.serial > ticket.serial,
                "event": purchase.event,
            }
            ticket = ticket.model_copy(update=news)
            wallet.store.put(ticket)
            if known.state == "valid" and not ticket.superseded and not _holds_for_the_event(ticket):
                purchase = _renew(wallet, api, purchase, known, ticket)


def _known(wallet: OpenedWallet, api: Api, purchase: Purchase) -> tuple[TicketAnswer, ...]:
    """What the platform says of a purchase's tickets, or of those that were given to this wallet."""
    if purchase.is_received:
        return received(wallet, api, purchase.event.slug)[1]
    placed = placed_of(purchase)
    return api.order(placed.order_id, placed.secret).value.tickets


def _with_times(wallet: OpenedWallet, purchase: Purchase, event: EventFacts) -> Purchase:
    """The purchase with the times that the event has now; nothing else of an event may change."""
    times = {"doors_at": event.doors_at, "starts_at": event.starts_at, "ends_at": event.ends_at}
    moved = purchase.model_copy(update={"event": purchase.event.model_copy(update=times)})
    if moved != purchase:
        wallet.store.put(moved)
    return moved


def _holds_for_the_event(ticket: Ticket) -> bool:
    return ticket.not_before <= ticket.event.doors_at and ticket.event.ends_at <= ticket.not_after


def _renew(wallet: OpenedWallet, api: Api, purchase: Purchase, known: TicketAnswer, held: Ticket) -> Purchase:
    """The same binding once more: the platform answers it with a credential for the event's new time (SPEC 4.3)."""
    refresh_platform(wallet, api, purchase.event.platform_id)
    purchase, intent = _intend(wallet, api, purchase, known, held.number, held.epoch)
    return _bind(wallet, api, purchase, known, intent, take_over=False)


def refresh_platform(wallet: OpenedWallet, api: Api, platform_id: bytes) -> Platform:
    """The platform with the newest key list that its roots vouch for. No list is no hindrance."""
    try:
        offered = api.key_list()
    except (Broken, Problem):
        offered = b""
    platform = remember_platform(wallet, api, platform_id)
    kept = next_key_list(platform.key_list, offered, platform_id, server_time(wallet, api))
    if kept != platform.key_list:
        platform = platform.model_copy(update={"key_list": kept})
        wallet.store.put(platform)
    return platform


def _take(wallet: OpenedWallet, api: Api, purchase: Purchase, known: TicketAnswer, *, take_over: bool) -> Purchase:
    """Bind, check, store. An intent that was stored before is sent again as it was."""
    held = wallet.store.get(Ticket, str(known.ticket_id))
    intent = purchase.bindings.get(str(known.ticket_id))
    if intent is None or (held is not None and intent.number <= held.number):
        # A serial is at least its binding's number; where it is more, the platform says which number is next.
        number = max(known.serial, held.number if held else 0) + 1 if take_over else 1
        purchase, intent = _intend(wallet, api, purchase, known, number, held.epoch if held else 0)
    return _bind(wallet, api, purchase, known, intent, take_over=take_over)


def _bind(
    wallet: OpenedWallet, api: Api, purchase: Purchase, known: TicketAnswer, intent: BindingIntent, *, take_over: bool
) -> Purchase:
    """Send the intent, mended as often as the platform says how; keep what comes back."""
    for _try in range(_BIND_TRIES):
        try:
            secret = purchase.placed.secret if purchase.placed is not None else ""
            answer = api.credential(known.ticket_id, secret, intent)
            break
        except Problem as problem:
            number, epoch = _what_to_change(problem, intent, take_over=take_over)
            purchase, intent = _intend(wallet, api, purchase, known, number, epoch)
    else:
        raise WalletError("binding_refused", _("The platform did not bind this device. Try again in a minute."))
    held = wallet.store.get(Ticket, str(known.ticket_id))
    _keep(wallet, api, purchase, known, intent, answer.credential, held)
    return purchase


def _what_to_change(problem: Problem, intent: BindingIntent, *, take_over: bool) -> tuple[int, int]:
    """The number and epoch to try next, or the problem itself."""
    if problem.code == "binding_expired":
        return intent.number, intent.epoch
    if problem.code == "wrong_epoch" and isinstance(problem.fields.get("epoch"), int):
        return intent.number, problem.fields["epoch"]
    if problem.code == "wrong_binding_number":
        following = problem.fields.get("next_number")
        if not take_over or not isinstance(following, int):
            raise WalletError(
                "bound_elsewhere",
                _(
                    "Another device has this ticket. If that device is yours and lost, take the ticket back with "
                    "`truestub-wallet rekey`; its codes then stop working."
                ),
            ) from problem
        return following, intent.epoch
    raise problem


def _intend(
    wallet: OpenedWallet, api: Api, purchase: Purchase, known: TicketAnswer, number: int, epoch: int
) -> tuple[Purchase, BindingIntent]:
    event = purchase.event
    token_id = known.token_id or 0
    key = device_key(wallet.seed, event.tag, token_id, number)
    expiry = server_time(wallet, api) + BINDING_SECONDS
    binding = Binding(event.tag, token_id, epoch, number, public_key_of(key), expiry)
    owner = None
    if purchase.owner is not None:
        owner = sign_binding(owner_account(wallet.seed, event.tag), event.platform_id, binding)
    intent = BindingIntent(
        idempotency_key=str(wallet.new_id()),
        token_id=token_id,
        number=number,
        epoch=epoch,
        expiry=expiry,
        device_key=binding.device_key,
        possession_signature=sign_possession(event.platform_id, binding, key),
        owner_signature=owner,
    )
    bindings = {**purchase.bindings, str(known.ticket_id): intent}
    purchase = purchase.model_copy(update={"bindings": bindings})
    wallet.store.put(purchase)
    return purchase, intent


def _keep(
    wallet: OpenedWallet,
    api: Api,
    purchase: Purchase,
    known: TicketAnswer,
    intent: BindingIntent,
    credential: bytes,
    held: Ticket | None,
) -> None:
    event = purchase.event
    platform = wallet.store.get(Platform, event.platform_id.hex())
    keys = usable_keys(platform.key_list, server_time(wallet, api)) if platform is not None else None
    after = held.serial if held is not None and held.number != intent.number else 0
    expected = Expected(event.tag, intent.token_id, intent.device_key, after)
    body, issuer = check_credential(credential, expected, keys)
    wallet.store.put(
        Ticket(
            id=known.ticket_id,
            purchase=purchase.id,
            server=purchase.server,
            event=event,
            class_code=known.class_code,
            seat=known.seat,
            zone=body.zone,
            token_id=intent.token_id,
            serial=body.serial,
            epoch=intent.epoch,
            number=intent.number,
            credential=credential,
            not_before=body.not_before,
            not_after=body.not_after,
            issuer=issuer,
            stored_at=body.issued_at,
            state=known.state,
            stage=known.stage,
            tx_hash=known.tx_hash,
        )
    )
