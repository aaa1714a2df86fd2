"""Error pages that help: what happened, what to do, what still works. Sentences and codes are the API's own."""

from dataclasses import dataclass

from flask import Response, make_response, render_template, request

from backend.errors import Refusal
from backend.i18n import gettext as _

_GENERAL = ("not_found", "method_not_allowed", "bad_request", "internal_error")  # codes whose sentence is for programs


@dataclass(frozen=True, slots=True)
class Action:
    """A way on."""

    text: str
    url: str


def wants_page() -> bool:
    """Whether this request comes from a browser that shows pages, rather than from a program."""
    if request.path.startswith("/api/"):
        return False
    wanted = request.accept_mimetypes
    return "text/html" in [kind for kind, _quality in wanted] and wanted["text/html"] >= wanted["application/json"]


def error_page(refusal: Refusal, status: int) -> Response:
    """The refusal as a page. `status` is HTTP's; the refusal's code is shown for the help desk."""
    title, general = _words(status)
    sentence = general if refusal.code in _GENERAL or not refusal.sentence else _ended(refusal.sentence)
    page = render_template(
        "error.html",
        title=title,
        sentence=sentence,
        works=_still_works() if status >= 500 else [],
        actions=_actions(status),
        code=refusal.code,
    )
    return make_response(page, status)


def _ended(sentence: str) -> str:
    full_stop = _(".")  # the language's own
    return sentence.rstrip("." + full_stop) + full_stop


def _actions(status: int) -> list[Action]:
    if request.path.startswith("/desk"):
        return [Action(_("Back to the desk"), "/desk")]
    if status < 500:
        return [Action(_("See all events"), "/"), Action(_("My tickets"), "/orders")]
    ways = [Action(_("See what works"), "/status"), Action(_("Open the wallet"), "/wallet")]
    if request.method == "GET":
        ways.insert(0, Action(_("Try again"), request.full_path.rstrip("?")))
    return ways


def _words(status: int) -> tuple[str, str]:
    """A title, and a sentence for where the refusal has none."""
    known = {
        403: (_("This page is not open to you"), _("An order opens only where it was bought, or with its receipt.")),
        404: (
            _("There is no page here"),
            _("The address may have a typing error, or what it led to is over. Your tickets are not affected."),
        ),
        405: (_("This page takes no forms"), _("Go back to the page you came from and use its buttons.")),
        413: (_("That was too much"), _("What you sent is larger than we take. Make it shorter and try again.")),
        429: (_("A little slower, please"), _("Wait a minute and try again; nothing is lost.")),
        503: (_("Part of the shop is resting"), _("We could not do this just now. Try again in a minute.")),
    }
    broken = (
        _("Something broke on our side"),
        _("It is not your fault, and nothing you paid for is lost. Try again in a minute."),
    )
    other = (_("We could not do that"), _("Go back, look at what you entered, and send it again."))
    return known.get(status, broken if status >= 500 else other)


def _still_works() -> list[str]:
    return [
        _("Tickets in your wallet work without any connection."),
        _("Gates let you in while this site or the chain is down."),
        _("Paid orders are safe; what waits is done by itself."),
    ]
