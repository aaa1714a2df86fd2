"""The live view: a code that changes every 10 s, on a screen of its own, until `q` or Ctrl-C.

Rules of this file: whatever it changes about the terminal it changes back, however it ends; it draws the whole code
only when the code or the window's size changed, else the last line alone.
"""

import os
import select
import signal
import sys
import termios
import tty
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from types import FrameType

from wallet import draw
from wallet.i18n import gettext as _
from wallet.records import Ticket
from wallet.show import Kind, Shown, present

TEXT_LINES = 2  # below the code
_POLL_SECONDS = 0.2
_ENTER = "\x1b[?1049h\x1b[?25l"  # another screen, no cursor
_LEAVE = "\x1b[?25h\x1b[?1049l"
_CLEAR = "\x1b[2J\x1b[H"
_LAST_LINE = "\r\x1b[2K"


@dataclass(frozen=True, slots=True)
class View:
    """What is on the screen: which of the tickets, and which kind of code."""

    tickets: Sequence[Ticket]
    at: int
    kind: Kind

    @property
    def ticket(self) -> Ticket:
        return self.tickets[self.at]


def show_live(seed: bytes, tickets: Sequence[Ticket], kind: Kind, clock: Callable[[], int]) -> None:
    """Run the view until the person ends it."""
    view: View | None = View(tickets, 0, kind)
    with _own_screen():
        drawn: tuple[object, ...] = ()
        shown: Shown | None = None
        while view is not None:
            now = clock()
            if shown is None or not shown.timestamp <= now < shown.until:
                shown = present(view.ticket, seed, view.kind, now)
            size = os.get_terminal_size(sys.stdout.fileno())  # asked each time: windows change
            if drawn != (view, shown, size):
                _write(_CLEAR + frame(view, shown, size))
                drawn = (view, shown, size)
            _write(_LAST_LINE + last_line(shown, now)[: size.columns - 1])
            pressed = _key()
            following = react(view, pressed)
            if following != view:
                shown = None
            view = following


def frame(view: View, shown: Shown, size: os.terminal_size) -> str:
    """The code and what it is for; or, where it does not fit, how to make it fit. Ends before the last line."""
    columns, lines = draw.terminal_size(shown.digits)
    if size.columns < columns or size.lines < lines + TEXT_LINES:
        wanted = {"columns": columns, "lines": lines + TEXT_LINES, "now": f"{size.columns} x {size.lines}"}
        return (
            _(
                "The code needs a window of %(columns)d x %(lines)d characters; this one has %(now)s.\n"
                "Make the window larger or its letters smaller, press c for the compact code,\n"
                "or draw into a file with --png."
            )
            % wanted
        ).replace("\n", "\r\n") + "\r\n"
    ticket = view.ticket
    place = _("%(at)d of %(all)d") % {"at": view.at + 1, "all": len(view.tickets)} if len(view.tickets) > 1 else ""
    about = [part for part in (ticket.event.name, ticket.class_code, ticket.seat or "", place) if part]
    return draw.terminal(shown.digits) + "\n" + " · ".join(about)[: size.columns] + "\n"


def last_line(shown: Shown, now: int) -> str:
    """Countdown and keys."""
    kind = _("compact") if shown.kind is Kind.COMPACT else _("full")
    countdown = _("%(kind)s code, new in %(seconds)d s") % {"kind": kind, "seconds": max(0, shown.until - now)}
    return countdown + " · " + _("space: next ticket, c: compact, f: full, q: end")


def react(view: View, pressed: str) -> View | None:
    """The view after a key; none: the end."""
    if pressed in ("q", "\x1b", "\x03", "\x04"):
        return None
    if pressed in (" ", "n", "\r", "\n"):
        return replace(view, at=(view.at + 1) % len(view.tickets))
    if pressed == "p":
        return replace(view, at=(view.at - 1) % len(view.tickets))
    kinds = {"c": Kind.COMPACT, "f": Kind.FULL}
    return replace(view, kind=kinds[pressed]) if pressed in kinds else view


def _key() -> str:
    """A key that was pressed within the poll, or nothing. A closed input is the end."""
    ready, _w, _x = select.select([sys.stdin], [], [], _POLL_SECONDS)
    if not ready:
        return ""
    return os.read(sys.stdin.fileno(), 1).decode(errors="replace") or "q"


@contextmanager
def _own_screen() -> Iterator[None]:
    """Keys one by one and a screen of our own; given back on any way out, SIGTERM and SIGHUP included."""

    def end(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    handlers = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    keyboard = sys.stdin.fileno() if sys.stdin.isatty() else None
    settings = termios.tcgetattr(keyboard) if keyboard is not None else None
    try:
        if keyboard is not None:
            tty.setcbreak(keyboard)
        _write(_ENTER)
        with suppress(KeyboardInterrupt):  # the way to end this
            yield
    finally:
        _write(_LEAVE)
        if keyboard is not None and settings is not None:
            termios.tcsetattr(keyboard, termios.TCSADRAIN, settings)
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
