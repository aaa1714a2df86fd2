"""How the demo speaks: short lines, what was done, how long it took."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.text import Text

INDENT = "    "


class Screen:
    """Writes the story to the terminal; every `step` is timed."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, soft_wrap=True)
        self._began = time.monotonic()

    def chapter(self, mark: str, title: str) -> None:
        self._console.print()
        self._console.print(Text(f"{mark}  {title}", style="bold"))

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Say what is done, once it is done, with its seconds."""
        started = time.monotonic()
        try:
            yield
        except BaseException:
            self._console.print(Text(f"{INDENT}✗ {what}", style="bold red"))
            raise
        took = time.monotonic() - started
        self._console.print(Text.assemble(INDENT, ("✓ ", "green"), what, (f"  {took:.1f} s", "dim")))

    def fact(self, text: str) -> None:
        self._console.print(Text(f"{INDENT}  {text}"))

    def quote(self, text: str) -> None:
        """What a person reads on a page or a gate."""
        for line in text.strip().splitlines():
            self._console.print(Text.assemble(INDENT, ("  │ ", "dim"), (line, "cyan")))

    def end(self, good: str) -> None:
        self._console.print()
        self._console.print(Text(f"{good}  ({time.monotonic() - self._began:.0f} s)", style="bold green"))

    def bad(self, text: str) -> None:
        self._console.print()
        self._console.print(Text(text, style="bold red"))
