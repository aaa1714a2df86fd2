"""What can go wrong, as a machine code and a human sentence. `web/problems.py` alone maps codes to HTTP.

An expected refusal of the domain is a `Refusal` value that travels in results; raising `Refused` carries the same value
through layers that have nothing to add. Broken configuration is a `SettingError`.
"""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something was not done. `code` is stable, for machines; `sentence` says what to do, in the user's words."""

    code: str
    sentence: str
    details: dict[str, Any] = field(default_factory=dict)  # JSON-able, never personal, never secret


class Refused(Exception):  # noqa: N818 - named for what it carries
    """A refusal on its way to the edge."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(f"{refusal.code}: {refusal.sentence}")
        self.refusal = refusal


class SettingError(Exception):
    """A setting that can't work; `name` says which."""

    code = "bad_setting"

    def __init__(self, name: str, sentence: str) -> None:
        super().__init__(f"{name} {sentence}")
        self.name = name
        self.sentence = sentence


def refuse(code: str, sentence: str, **details: Any) -> Refused:  # noqa: ANN401 - JSON values
    """Make a `Refused` to raise, from its parts."""
    return Refused(Refusal(code, sentence, details))
