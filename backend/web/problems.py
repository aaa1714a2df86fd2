"""The one place that maps codes to HTTP: every error leaves as problem+json (RFC 9457).

A code that is not listed is a conflict with the state of things: 409. SPEC 9.4 shows them all (tools/problem_codes.py).
`retry_after` in a refusal's details becomes the Retry-After header.
"""

import logging
from typing import Any

import orjson
from apiflask import APIFlask
from flask import Response, request
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException

from backend.db.failures import failure_of, problem_code
from backend.errors import Refusal, Refused
from backend.i18n import gettext as _
from backend.sales.words import in_words, till_refusal
from backend.web.pages.errors import error_page, wants_page

MEDIA_TYPE = "application/problem+json"
OTHER = 409

_STATUS = {
    400: (
        "bad_request",
        "form_expired",
        "invalid_json",
        "idempotency_key_missing",
        "idempotency_key_invalid",
        "place_missing",
        "notification_unreadable",
    ),
    401: ("order_secret_missing", "gate_token_missing", "notification_forged", "desk_signed_out", "sign_in_failed"),
    402: ("payment_declined",),
    403: (
        "waiting_room",
        "pass_expired",
        "pass_used",
        "order_secret_wrong",
        "order_not_here",
        "gate_token_wrong",
        "other_event",
        "not_permitted",
    ),
    404: (
        "not_found",
        "unknown_event",
        "unknown_order",
        "unknown_payment",
        "unknown_ticket",
        "unknown_place",
        "unknown_waiter",
        "no_waiting_room",
        "no_key_list",
        "no_bundle",
        "unknown_account",
    ),
    405: ("method_not_allowed",),
    408: ("request_too_slow",),
    409: (
        *("sold_out", "too_few_left", "seat_taken", "not_on_sale", "event_cancelled", "event_over"),
        *("already_paid", "hold_expired", "order_cancelled", "order_refunded", "order_not_paid", "payment_under_way"),
        *("payment_differs", "payment_too_late", "receipt_unreadable", "ticket_not_ready", "ticket_not_valid"),
        *("credential_withdrawn", "serials_exhausted", "wrong_binding_number", "wrong_epoch", "move_not_final"),
        *("moves_closed", "not_transferable", "not_reconciled"),
        *("bad_bundle", "bundle_version_taken", "log_forked", "log_gap", "no_mail"),
        *("refund_closed", "refund_by_organiser", "nothing_to_refund", "ticket_used", "event_is_over"),
        *(
            "times_out_of_order",
            "refund_whole_only",
            "refund_after_release",
            "ticket_moved",
            "terms_changed",
            "order_not_settled",
        ),
    ),
    413: ("body_too_large",),
    415: ("not_json",),
    422: (
        *(
            "invalid_request",
            "unknown_field",
            "unknown_class",
            "unknown_code",
            "unknown_seat",
            "unknown_payment_method",
            "payment_needed",
            "bad_number",
            "price_too_high",
            "capacity_out_of_bounds",
        ),
        *("unknown_payment_token", "over_limit", "nothing_wanted", "class_has_no_seats", "seat_named_twice"),
        *("seats_do_not_match_quantity", "idempotency_key_reused", "device_key_invalid", "binding_expired"),
        *("possession_signature_invalid", "owner_signature_invalid", "owner_signature_missing", "wish_expired"),
        *("amount_not_payable", "payment_refused", "not_sold_on_chain"),
        *("bad_receiver", "deadline_too_near"),
        *("bad_address", "buyer_unknown", "record_unreadable", "record_of_another_gate"),
    ),
    429: ("too_many_requests", "too_many_attempts", "too_many_credentials", "too_many_moves"),
    500: ("internal_error",),
    503: (
        *("too_busy", "answer_unknown", "storage_full", "storage_read_only"),
        *("payment_unrecorded", "database_unreachable"),
        "provider_silent",
        *("signer_unreachable", "signer_busy", "signer_failed", "no_usable_key", "not_initialised"),
        "chain_away",
    ),
}
STATUS_OF = {code: status for status, codes in _STATUS.items() for code in codes}

_log = logging.getLogger(__name__)


def install_problems(app: APIFlask) -> None:
    """Answer every refusal and error of `app` as a problem."""
    app.register_error_handler(Refused, _refused)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(SQLAlchemyError, _database)
    app.register_error_handler(Exception, _unexpected)


def problem(refusal: Refusal) -> Response:
    """The refusal as an answer."""
    details = dict(refusal.details)
    retry_after = details.get("retry_after")
    status = STATUS_OF.get(refusal.code, OTHER)
    body: dict[str, Any] = {
        "type": f"urn:truestub:problem:{refusal.code}",
        "title": refusal.code.replace("_", " "),
        "status": status,
        "code": refusal.code,
        "detail": refusal.sentence,
        **details,
    }
    answer = Response(orjson.dumps(body), status, mimetype=MEDIA_TYPE)
    if retry_after is not None:
        answer.headers["Retry-After"] = str(retry_after)
    if status == 401:
        answer.headers["WWW-Authenticate"] = "Bearer"
    return answer


def _refused(error: Refused) -> Response:
    told = refusal_for(error, request.endpoint)
    return _told(told, STATUS_OF.get(told.code, OTHER))


def _http(error: HTTPException) -> Response:
    status = error.code or 500
    answer = _told(_said(error, status), status)
    answer.status_code = status
    for name, value in error.get_headers():
        if name in ("Allow", "Location"):
            answer.headers[name] = value
    return answer


def _database(error: SQLAlchemyError) -> Response:
    refusal = refusal_for(error, request.endpoint)
    return _told(refusal, STATUS_OF[refusal.code])


def _unexpected(error: Exception) -> Response:
    return _told(refusal_for(error, request.endpoint), 500)


def refusal_for(error: Exception, where: str | None) -> Refusal:
    """What to say of an error; what nobody expected is logged, with the name of where it happened."""
    if isinstance(error, Refused):
        return in_words(error).refusal
    failure = failure_of(error) if isinstance(error, SQLAlchemyError) else None
    if failure is not None:
        _log.warning("the database failed (%s) under %s", failure, where)
        return till_refusal(problem_code(failure))
    _log.error("unexpected %s under %s", type(error).__name__, where, exc_info=error)
    return Refusal("internal_error", _("Something went wrong here; nothing was lost. Try again in a minute"))


def _told(refusal: Refusal, status: int) -> Response:
    """As a page for browsers, as a problem for programs."""
    if not wants_page():
        return problem(refusal)
    page = error_page(refusal, status)
    if "retry_after" in refusal.details:
        page.headers["Retry-After"] = str(refusal.details["retry_after"])
    return page


def _said(error: HTTPException, status: int) -> Refusal:
    if isinstance(error, CSRFError):
        sentence = _("The page was open in another session, or cookies are off. Load it again and send it once more")
        return Refusal("form_expired", sentence)
    return _HTTP_REFUSALS.get(status, _other_http)()


_HTTP_REFUSALS = {
    400: lambda: Refusal("bad_request", _("This request can't be understood")),
    404: lambda: Refusal("not_found", _("There is nothing at this address")),
    405: lambda: Refusal("method_not_allowed", _("This address takes other methods; see the Allow header")),
    413: lambda: Refusal("body_too_large", _("The request is too large; send at most 64 KiB")),
    415: lambda: Refusal("not_json", _("Send JSON, with Content-Type: application/json")),
    429: lambda: Refusal("too_many_requests", _("Too many requests; slow down")),
}


def _other_http() -> Refusal:
    return Refusal("bad_request", _("This request can't be answered"))
