"""What is said of a component's health, in the reader's language: a rule for each component and cause."""

from collections.abc import Callable, Mapping

from backend.i18n import gettext as _
from backend.i18n import ngettext
from backend.ops.health import Fact

Facts = Mapping[str, Fact]


def sentence(component: str, cause: str, facts: Facts) -> str:
    """One sentence, without a full stop at its end unless it is made of several."""
    if cause == "restored" and component != "sales":
        return _("This waits until the shop, which was put back from a copy, was compared with bank and chain")
    if component == "minting" and cause not in ("works", "database"):
        return _minting_waits(cause, facts)
    rule = _RULES.get((component, cause)) or _RULES.get((component, ""))
    return rule(facts) if rule else cause.replace("_", " ")


def _sales(facts: Facts) -> str:
    count = _whole(facts, "events")
    text = ngettext("Sales are open for %d event", "Sales are open for %d events", count) % count
    return text if count else _("No event is on sale")


def _payments_late(facts: Facts) -> str:
    count = _whole(facts, "count")
    text = ngettext(
        "%d payment waits for its provider's answer; no money is lost",
        "%d payments wait for their provider's answer; no money is lost",
        count,
    )
    return text % count


def _refunds(facts: Facts) -> str:
    count = _whole(facts, "count")
    text = ngettext("Payments work; %d refund is on its way", "Payments work; %d refunds are on their way", count)
    return text % count


def _amounts(facts: Facts) -> str:
    count = _whole(facts, "count")
    text = ngettext(
        "%d payment of another amount or currency than asked for goes back: look at the provider's settings",
        "%d payments of other amounts or currencies than asked for go back: look at the provider's settings",
        count,
    )
    return text % count


def _refunds_failed(facts: Facts) -> str:
    count = _whole(facts, "count")
    text = ngettext(
        "%d refund was refused by its provider; the organiser pays it another way",
        "%d refunds were refused by their provider; the organiser pays them another way",
        count,
    )
    return text % count


def _index_old(facts: Facts) -> str:
    words = {"block": _whole(facts, "block"), "seconds": _whole(facts, "seconds")}
    return _("The index stands at block %(block)d; the node was last heard %(seconds)d s ago") % words


def _gate_sync_old(facts: Facts) -> str:
    count = _whole(facts, "minutes")
    text = ngettext(
        "Gates get nothing newer than %d minute ago; they go on admitting by what they have",
        "Gates get nothing newer than %d minutes ago; they go on admitting by what they have",
        count,
    )
    return text % count


def _disk_low(facts: Facts) -> str:
    return _("Only %(free)d MiB are left on the disk: make room before sales stop") % {
        "free": _whole(facts, "free_mib")
    }


def _disk_full(facts: Facts) -> str:
    words = {"free": _whole(facts, "free_mib")}
    return _("The disk is full (%(free)d MiB left): make room. Nothing is lost") % words


def _minted(facts: Facts) -> str:
    count = _whole(facts, "waiting")
    return _("Tickets are minted; %(waiting)s.") % {"waiting": _waiting(count)} if count else _("Tickets are minted")


def _minting_waits(cause: str, facts: Facts) -> str:
    why = _WHY.get(cause, _WHY["wiped"])()
    waiting = _waiting(_whole(facts, "waiting"))
    if not facts.get("sells", 1):
        return f"{why} {waiting}"
    return _("%(why)s Sales go on; %(waiting)s.") % {"why": why, "waiting": waiting}


def _waiting(count: int) -> str:
    return ngettext("%d ticket waits", "%d tickets wait", count) % count


_WHY: dict[str, Callable[[], str]] = {
    "unreachable": lambda: _("Minting waits: the chain node does not answer."),
    "behind": lambda: _("Minting waits: the chain node is catching up."),
    "reorganised": lambda: _("Minting pauses: the chain replaced its last blocks, and we are following."),
    "rolled_back": lambda: _(
        "Minting waits: the chain node came back with an older state; what it lost is being sent again."
    ),
    "wiped": lambda: _("Minting waits: the chain node is not the one we know; an operator must look at it."),
    "no_node_yet": lambda: _("Minting waits: no chain node has been seen yet."),
    "no_worker": lambda: _("Minting waits: our worker does not run."),
    "catching_up": lambda: _("The chain is back; what waited is being minted."),
    "stuck": lambda: _("Minting waits: the chain has our transactions and puts none of them into a block."),
    "unfunded": lambda: _("Minting waits: our account on the chain can't pay its fees; an operator must send funds."),
    "underpriced": lambda: _("Minting waits: the chain asks for higher fees, and we are offering more."),
    "refused": lambda: _("Minting waits: the chain refuses what we send; an operator must look at it."),
    "late": lambda: _("Minting is slower than it should be."),
}

# By component and cause; "" stands for every other cause, which are those of a component that works.
_RULES: dict[tuple[str, str], Callable[[Facts], str]] = {
    ("sales", "database"): lambda _f: _(
        "The database does not answer: nothing can be sold right now, nothing is lost. Gates go on working."
    ),
    ("sales", "standby"): lambda _f: _(
        "The database's second copy does not answer: nothing can be sold right now, nothing is lost. "
        "Gates go on working."
    ),
    ("sales", "storage_full"): lambda _f: _(
        "The database's disk is full: nothing can be sold until there is room, nothing is lost. Gates go on working."
    ),
    ("sales", "read_only"): lambda _f: _(
        "The database takes nothing in: nothing can be sold right now, nothing is lost. Gates go on working."
    ),
    ("sales", "restored"): lambda _f: _(
        "The shop was put back from a copy and is compared with bank and chain; then sales open. Tickets can be used"
    ),
    ("sales", "disk"): lambda _f: _("The disk is full: orders may fail until there is room. What was paid is safe"),
    ("sales", ""): _sales,
    ("payments", "late"): _payments_late,
    ("refunds", "failed"): _refunds_failed,
    ("refunds", ""): lambda _f: _("Every refund was taken note of by its provider, or is being sent"),
    ("payments", "refunds"): _refunds,
    ("payments", "database"): lambda _f: _("Payments wait until the database answers; no money is lost"),
    ("payments", "standby"): lambda _f: _("Payments wait until the database's second copy answers; no money is lost"),
    ("payments", "storage_full"): lambda _f: _("Payments wait until the database has room; no money is lost"),
    ("payments", "read_only"): lambda _f: _("Payments wait until the database can be written to; no money is lost"),
    ("payments", ""): lambda _f: _("Payments work"),
    ("amounts", "different"): _amounts,
    ("amounts", ""): lambda _f: _("Payments come in the amounts and currencies asked for"),
    ("signer", "silent"): lambda _f: _("New codes wait: the signer does not answer. Codes on phones go on working"),
    ("signer", ""): lambda _f: _("Codes are issued"),
    ("minting", "works"): _minted,
    ("minting", "database"): lambda _f: _("Minting waits until the database answers"),
    ("index", "not_begun"): lambda _f: _("The index has not begun"),
    ("index", "old"): _index_old,
    ("index", ""): lambda facts: _("The index is at block %(block)d") % {"block": _whole(facts, "block")},
    ("node", "answers"): lambda _f: _("The chain node answers"),
    ("node", "unseen"): lambda _f: _("No chain node has been seen yet"),
    ("node", "unreachable"): lambda _f: _("The chain node does not answer"),
    ("node", "behind"): lambda _f: _("The chain node is behind and catching up"),
    ("node", "reorganised"): lambda _f: _("The chain replaced its last blocks"),
    ("node", "rolled_back"): lambda _f: _("The chain node came back with an older state"),
    ("node", ""): lambda _f: _("The chain node is not the one we know"),
    ("gate_sync", "old"): _gate_sync_old,
    ("gate_sync", ""): lambda _f: _("Gates get what they need"),
    ("database", "silent"): lambda _f: _("The database does not answer; what stands here is what was last known"),
    ("database", "standby"): lambda _f: _(
        "The database's second copy does not answer: nothing can be sold until it does, nothing is lost"
    ),
    ("database", "storage_full"): lambda _f: _("The database's disk is full: make room. Nothing is lost"),
    ("database", "read_only"): lambda _f: _(
        "The database can only be read: see why it is, and let it be written to. Nothing is lost"
    ),
    ("database", ""): lambda _f: _("The database answers"),
    ("disk", "low"): _disk_low,
    ("disk", "full"): _disk_full,
    ("disk", ""): lambda _f: _("There is room on the disk"),
    ("environment", "outside"): lambda facts: _("Warning: %(sensor)s is %(says)s; look at it before it fails") % facts,
    ("environment", "quiet"): lambda facts: _("Warning: the sensor of %(sensor)s does not answer") % facts,
    ("environment", "bad_answer"): lambda facts: (
        _("Warning: what the sensor of %(sensor)s answers is no reading; look at its url and value") % facts
    ),
    ("environment", ""): lambda _f: _("Temperature, humidity, power and the like are as they should be"),
}


def _whole(facts: Facts, name: str) -> int:
    value = facts.get(name)
    return value if isinstance(value, int) else 0
