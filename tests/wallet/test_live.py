"""The live view in a real terminal: draws, counts down, turns to the next ticket, and gives the terminal back."""

import codecs
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import ioctl

import pytest
import zxingcpp

from credential.codes import CompactCode, FullCode, decode_code
from credential.digits import from_digits
from tests.wallet.home import Home
from tests.wallet.test_draw import rendered

ENTER, LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"


class Terminal:
    """A pseudo terminal with a program in it."""

    def __init__(self, home: Home, *arguments: str, columns: int, lines: int) -> None:
        self.master, self._slave = pty.openpty()
        self.resize(columns, lines)
        self.settings = termios.tcgetattr(self._slave)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "wallet", *home.options, *arguments],
            stdin=self._slave,
            stdout=self._slave,
            stderr=self._slave,
            env={**os.environ, "LANGUAGE": "en"},
            start_new_session=True,
        )
        self.text = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def resize(self, columns: int, lines: int) -> None:
        ioctl(self._slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def press(self, key: str) -> None:
        self.text = ""
        os.write(self.master, key.encode())

    def wait_for(self, pattern: str, seconds: float = 20) -> str:
        """What was written until the pattern came."""
        ends = time.monotonic() + seconds
        while not re.search(pattern, self.text, re.DOTALL):
            assert time.monotonic() < ends, f"no {pattern!r} in {self.text[-500:]!r}"
            if select.select([self.master], [], [], 0.1)[0]:
                self.text += self._decoder.decode(os.read(self.master, 65536))
        return self.text

    def ended(self) -> int:
        ends = time.monotonic() + 20
        while self.process.poll() is None:
            assert time.monotonic() < ends, "the view did not end"
            if select.select([self.master], [], [], 0.05)[0]:
                self.text += self._decoder.decode(os.read(self.master, 65536))
        return self.process.returncode

    def settings_now(self) -> object:
        return termios.tcgetattr(self._slave)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.master)
        os.close(self._slave)


@contextmanager
def terminal(home: Home, *arguments: str, columns: int = 100, lines: int = 50) -> Iterator[Terminal]:
    made = Terminal(home, *arguments, columns=columns, lines=lines)
    try:
        yield made
    finally:
        made.close()


def _code(text: str) -> object:
    """What a gate's camera would read of the last frame."""
    frame = text.rpartition("\x1b[2J\x1b[H")[2]
    rows = [line for line in frame.split("\r\n") if "▀" in line]
    found = zxingcpp.read_barcode(rendered("\n".join(rows), pixels=4))
    assert found is not None
    payload = from_digits(found.text)
    assert isinstance(payload, bytes)
    return decode_code(payload)


def test_full_code_compact_on_a_key_next_ticket_on_another_and_q_ends(bought: Home) -> None:
    with terminal(bought, "show") as view:
        first = _code(view.wait_for(r"full code, new in \d+ s"))
        assert isinstance(first, FullCode)
        view.press("c")
        assert isinstance(_code(view.wait_for(r"compact code, new in \d+ s")), CompactCode)
        view.press("f")
        view.wait_for(r"full code, new in \d+ s")
        view.press(" ")
        second = _code(view.wait_for(r"2 of 2.*full code, new in \d+ s"))
        assert isinstance(second, FullCode)
        assert second.credential.body.token_id != first.credential.body.token_id
        view.press("q")
        assert view.ended() == 0
        assert view.text.endswith(LEAVE)
        assert view.settings_now() == view.settings


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_any_end_gives_the_terminal_back(bought: Home, ending: signal.Signals) -> None:
    with terminal(bought, "show", "1", "--compact") as view:
        view.wait_for(re.escape(ENTER) + r".*new in \d+ s")
        view.process.send_signal(ending)
        assert view.ended() == 0
        assert view.text.endswith(LEAVE)
        assert "Traceback" not in view.text
        assert view.settings_now() == view.settings


def test_counts_down(bought: Home) -> None:
    with terminal(bought, "show", "1", "--compact") as view:
        view.wait_for(r"new in 9 s.*new in 8 s")


def test_small_window_says_what_to_do_and_a_larger_one_draws(bought: Home) -> None:
    with terminal(bought, "show", "1", columns=80, lines=24) as view:
        assert "▀" not in view.wait_for(r"needs a window of 61 x 33.*press c")
        view.text = ""
        view.resize(100, 50)
        assert isinstance(_code(view.wait_for(r"▀.*new in \d+ s")), FullCode)


def test_compact_fits_the_smallest_usual_window(bought: Home) -> None:
    with terminal(bought, "show", "1", "--compact", columns=80, lines=24) as view:
        assert isinstance(_code(view.wait_for(r"▀.*new in \d+ s")), CompactCode)
