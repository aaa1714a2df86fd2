"""Typed look-ups in a TOML table that name the key they fail on."""

import difflib
import re
from decimal import Decimal
from typing import Any

from backend.errors import Refused, refuse
from backend.i18n import gettext as _

_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def bad(code: str, key: str, sentence: str) -> Refused:
    """A refusal about `key`, which the sentence is made to name."""
    return refuse(code, f"{key}: {sentence}" if key else sentence, key=key)


def percent_of(value: float) -> int:
    """A percentage as basis points; refuses what is none."""
    if not 0 <= value <= 100:
        raise bad("bad_percent", "", _("Write a percentage from 0 to 100"))
    return round(value * 100)


class Table:
    """One table of the file. What was not looked up by the time of `finish` is an unknown key."""

    def __init__(self, values: dict[str, Any], prefix: str = "") -> None:
        self._values = values
        self._prefix = prefix
        self._known: set[str] = set()

    @property
    def is_empty(self) -> bool:
        return not self._values

    def path(self, key: str) -> str:
        return self._prefix + key

    def has(self, key: str) -> bool:
        self._known.add(key)
        return key in self._values

    def take(self, key: str) -> Any:  # noqa: ANN401 - whatever TOML holds
        if not self.has(key):
            close = difflib.get_close_matches(key, self._values, 1)
            hint = _("the file has %s, is that it?") % close[0] if close else _("add a line for it")
            raise bad("missing_key", self.path(key), _("This key is missing; %s") % hint)
        return self._values[key]

    def finish(self) -> None:
        for key in self._values:
            if key not in self._known:
                close = difflib.get_close_matches(key, self._known, 1)
                hint = _(" Did you mean %s?") % close[0] if close else ""
                raise bad("unknown_key", self.path(key), _("There is no such key.") + hint)

    def text(self, key: str, max_length: int) -> str:
        value = self.take(key)
        if not isinstance(value, str) or not value.strip():
            raise bad("bad_text", self.path(key), _("Write a text in quotes, and something in it"))
        if len(value) > max_length or not value.isprintable():
            raise bad("bad_text", self.path(key), _("Write one line of at most %d characters") % max_length)
        return value.strip()

    def slug(self, key: str, max_length: int) -> str:
        value = self.text(key, max_length)
        if not _SLUG.fullmatch(value):
            raise bad("bad_slug", self.path(key), _("Use small letters, digits and single hyphens, like summer-night"))
        return value

    def choice(self, key: str, allowed: tuple[str, ...], default: str) -> str:
        value = self.take(key) if self.has(key) else default
        if value not in allowed:
            raise bad("bad_choice", self.path(key), _("Write one of: %s") % ", ".join(allowed))
        return str(value)

    def whole(self, key: str, low: int, high: int, *, default: int | None = None, code: str = "bad_number") -> int:
        value = self.take(key) if default is None or self.has(key) else default
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            sentence = _("Write a whole number from %(low)d to %(high)d") % {"low": low, "high": high}
            raise bad(code, self.path(key), sentence)
        return value

    def percent(self, key: str, high: int, *, default: int) -> int:
        """A percentage with at most two decimals, as basis points."""
        value = self.take(key) if self.has(key) else default
        number = Decimal(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else None
        if number is None or not number.is_finite() or not 0 <= number <= high or (number * 100) % 1:
            raise bad(
                "bad_percent",
                self.path(key),
                _("Write a percentage from 0 to %d with at most two decimals, without quotes") % high,
            )
        return int(number * 100)

    def flag(self, key: str, *, default: bool) -> bool:
        value = self.take(key) if self.has(key) else default
        if not isinstance(value, bool):
            raise bad("bad_choice", self.path(key), _("Write true or false, without quotes"))
        return value

    def table(self, key: str) -> "Table":
        """The table of that name; an empty one without the key."""
        value = self.take(key) if self.has(key) else {}
        if not isinstance(value, dict):
            raise bad("bad_table", self.path(key), _("Write it as a table: [%s]") % key)
        return Table(value, f"{self.path(key)}.")

    def tables(self, key: str) -> list["Table"]:
        """The tables of an array of tables; empty without the key."""
        values = self.take(key) if self.has(key) else []
        if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
            raise bad("bad_table", self.path(key), _("Write each as a table of its own: [[%s]]") % key)
        return [Table(value, f"{self.path(key)}[{at}].") for at, value in enumerate(values, start=1)]
