"""What every refusal of a contract is: a type, a machine code, arguments, a sentence."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from contracts.errors.mark import _
from contracts.i18n import gettext

ROLES = {1: _("issuer"), 2: _("relayer"), 4: _("gate"), 8: _("keys"), 16: _("pauser"), 32: _("settler")}
STOPS = {1: _("minting"), 2: _("moving"), 4: _("redeeming")}
STATUSES = (_("valid"), _("redeemed"), _("revoked"), _("suspended"))
POLICIES = (_("open"), _("market only"), _("frozen"), _("soulbound"))
PATHS = (_("transfer"), _("gift"), _("ask"), _("fiat settlement"), _("claim"))
ORDER_STATES = (_("unknown"), _("paid and held"), _("released"), _("refunded"))
REASONS = (_("not revoked"), _("rotated"), _("compromised"))

# What the integer arguments of these names mean; all others are shown as numbers.
BITS = {"role": ROLES, "roles": ROLES, "stops": STOPS}
CHOICES = {
    "status": STATUSES,
    "fromStatus": STATUSES,
    "toStatus": STATUSES,
    "policy": POLICIES,
    "fromPolicy": POLICIES,
    "toPolicy": POLICIES,
    "path": PATHS,
    "state": ORDER_STATES,
    "reason": REASONS,
}
TIMES = {"validFrom", "opens", "closes", "deadline", "reclaimFrom"}

LATEST = datetime(9999, 12, 31, tzinfo=UTC).timestamp()  # what a date can still show


class ContractError(Exception):
    """A contract refused a call.

    `arguments` has the error's arguments by name: integers; addresses and bytes as 0x… in lower case; field names.
    """

    template: ClassVar[str] = ""

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        self.arguments = dict(arguments)
        super().__init__(f"{self.code}: {self.sentence('en')}")

    @property
    def code(self) -> str:
        """The machine code, e.g. `capacity_exceeded`."""
        return snake_case(type(self).__name__.removesuffix("Error"))

    def sentence(self, language: str | None = None) -> str:
        """What happened and what to do, in the reader's language."""
        shown = {name: _shown(name, value, language) for name, value in self.arguments.items()}
        return gettext(self.template, language).format_map(shown)


def snake_case(name: str) -> str:
    """`ERC721InvalidOwner` becomes `erc721_invalid_owner`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _shown(name: str, value: Any, language: str | None) -> str:  # noqa: ANN401 - whatever the ABI holds
    """An argument as people read it."""
    if name in BITS:
        words = [gettext(word, language) for bit, word in BITS[name].items() if value & bit]
        return ", ".join(words) or str(value)
    if name in CHOICES and value < len(CHOICES[name]):
        return gettext(CHOICES[name][value], language)
    if name in TIMES:
        return datetime.fromtimestamp(min(value, LATEST), UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return str(value)
