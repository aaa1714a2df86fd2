"""Where payment providers tell us what became of a payment. Each notification is signed; each may come twice."""

import logging

from apiflask import APIBlueprint
from flask import Response, request

from backend.errors import refuse
from backend.i18n import gettext as _
from backend.sales.charge_backs import Outcome, book_dispute, take_charge_back
from backend.sales.payments.failed import note_came_back
from backend.sales.payments.flow import find_payment, settle
from backend.sales.payments.interface import Disputed, Provider, RefundFailed, Silent
from backend.web.requests import services
from backend.wiring import Services

bp = APIBlueprint("payments", __name__, url_prefix="/payments", enable_openapi=False)

_log = logging.getLogger(__name__)

_DISPUTE_WORDS: dict[Outcome, str] = {
    "stopped": "dispute %s took all that was left of payment %s: its unused tickets are void",
    "undecided": "dispute %s took money of payment %s: its tickets stay as they are until the desk decides",
    "reinstated": "dispute %s gave its money back to payment %s: void tickets stay void until the desk gives new ones",
}


@bp.post("/<provider>/notify")
def notify(provider: str) -> Response:
    """Take note; 2xx only after it is stored, so that the provider repeats what we could not store."""
    parts = services()
    known = parts.payments.get(provider)
    if known is None:
        raise refuse("not_found", _("There is nothing at this address"))
    try:
        _take_note(known, parts)
    except Silent:
        sentence = _("The payment provider does not answer; send this again")
        raise refuse("provider_silent", sentence, retry_after=5) from None
    return Response(status=204)


def _take_note(known: Provider, parts: Services) -> None:
    said = known.read_notification(dict(request.headers), request.get_data(), parts.clock())
    if said is None:
        return
    if isinstance(said, RefundFailed):
        if note_came_back(parts.engine, said):
            _log.error("refund of payment %s did not reach the buyer: %s", said.payment_id, said.reason)
        return
    try:
        payment = find_payment(parts.engine, said.payment_id)
    except LookupError:
        raise refuse("unknown_payment", _("There is no such payment")) from None
    if isinstance(said, Disputed):
        outcome = book_dispute(parts.engine, payment.event_id, payment.id, said.dispute)
        if outcome != "known":
            _log.warning(_DISPUTE_WORDS[outcome], said.dispute.name, payment.id)
        return
    if said.verdict == "charged_back":
        if take_charge_back(parts.engine, payment.event_id, payment.id):
            _log.warning("payment %s was charged back", payment.id)
        return
    settled = settle(parts.engine, parts.tills, payment, said)
    _log.info("payment %s is %s", payment.id, settled.state)
