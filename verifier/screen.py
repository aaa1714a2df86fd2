"""A verdict on a terminal: big enough to be read at arm's length, or as one line of JSON."""

import io
import json
import os
import sys
from datetime import UTC, datetime
from typing import Any

from verifier.errors import GateError
from verifier.i18n import gettext as _
from verifier.verdict import Shown, Verdict
from verifier.words import Colour, Words

_BACKGROUND = {Colour.GREEN: 42, Colour.AMBER: 43, Colour.RED: 41}
_MARK = {Colour.GREEN: "+++", Colour.AMBER: "???", Colour.RED: "XXX"}  # for those who can't tell the colours apart
_WIDTH = 60


def say(text: str) -> None:
    """To standard output, at once: a verdict must not wait in a buffer. `GateError("no_screen")` if that fails."""
    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except OSError as error:
        _let_go_of_stdout()
        sentence = _(
            "Verdicts can't be shown any more ({why}). Start again where they can be seen, and scan the last code once "
            "more: if it was used just now, its holder was admitted."
        )
        raise GateError("no_screen", sentence.format(why=error.strerror)) from error


def complain(code: str, sentence: str) -> None:
    """To standard error: what keeps the gate from working."""
    sys.stderr.write(f"{code}: {sentence}\n")


def prepare() -> None:
    """A letter that the terminal does not have must not keep a verdict from being shown."""
    if sys.stdout is None:  # closed by the shell: an admission would be recorded that nobody sees
        raise GateError("no_screen", _("Standard output is closed: verdicts could not be shown."))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _let_go_of_stdout() -> None:
    # What is left in the buffer would be tried again, and complained of, when the interpreter ends.
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)


def as_text(verdict: Verdict, words: Words, in_colour: bool) -> str:
    """A block of lines: word, place, why, and what to do next."""
    mark = _MARK[words.colour]
    banner = f" {mark}  {words.word.upper()}  {mark} ".center(_WIDTH)
    if in_colour:
        code = _BACKGROUND[words.colour]
        rows = [f"\x1b[30;{code};1m{row.ljust(_WIDTH)}\x1b[0m" for row in ("", banner, "")]
    else:
        rows = ["=" * _WIDTH, banner, "=" * _WIDTH]
    place = _place(verdict.ticket)
    return "\n".join([*rows, *([place] if place else []), words.sentence, f"-> {words.advice}", ""])


def as_json(verdict: Verdict, words: Words, now: int) -> str:
    """One line: SPEC 6.8."""
    ticket = verdict.ticket
    return to_json(
        {
            "code": str(verdict.code),
            "admitted": verdict.admitted,
            "word": words.word,
            "colour": str(words.colour),
            "icon": words.icon,
            "sentence": words.sentence,
            "advice": words.advice,
            "at": iso(now),
            "token_id": ticket.token_id if ticket else None,
            "serial": ticket.serial if ticket else None,
            "class": ticket.class_name if ticket else None,
            "zone": ticket.zone_name if ticket else None,
            "seat": (ticket.seat or None) if ticket else None,
            "moment": iso(verdict.moment) if verdict.moment is not None else None,
            "gate": verdict.gate,
        }
    )


def to_json(value: dict[str, Any]) -> str:
    """One line of ASCII: no terminal, pipe or locale can spoil it."""
    return json.dumps(value, ensure_ascii=True)


def iso(moment: int) -> str:
    """RFC 3339, UTC."""
    return datetime.fromtimestamp(moment, UTC).isoformat()


def _place(ticket: Shown | None) -> str:
    if ticket is None:
        return ""
    seat = _("seat {n}").format(n=ticket.seat) if ticket.seat else ""
    return ", ".join(part for part in (ticket.class_name, ticket.zone_name, seat) if part)
