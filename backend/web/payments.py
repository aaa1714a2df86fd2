"""Where payment providers tell us what became of a payment. Each notification is signed; each may come twice."""

import logging

from apiflask import APIBlueprint
from flask import Response, request

from backend.errors import refuse
from backend.i18n import gettext as _
from backend.sales.payments.flow import find_payment, settle
from backend.sales.refunds import take_charge_back
from backend.web.requests import services

bp = APIBlueprint("payments", __name__, url_prefix="/payments", enable_openapi=False)

_log = logging.getLogger(__name__)


@bp.post("/<provider>/notify")
def notify(provider: str) -> Response:
    """Take note; 2xx only after it is stored, so that the provider repeats what we could not store."""
    parts = services()
    known = parts.payments.get(provider)
    if known is None:
        raise refuse("not_found", _("There is nothing at this address"))
    said = known.read_notification(dict(request.headers), request.get_data(), parts.clock())
    try:
        payment = find_payment(parts.engine, said.payment_id)
    except LookupError:
        raise refuse("unknown_payment", _("There is no such payment")) from None
    if said.verdict == "charged_back":
        if take_charge_back(parts.engine, payment.event_id, payment.id):
            _log.warning("payment %s was charged back", payment.id)
        return Response(status=204)
    settled = settle(parts.engine, parts.tills, payment, said)
    _log.info("payment %s is %s", payment.id, settled.state)
    return Response(status=204)
