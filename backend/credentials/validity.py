"""From when to when a credential holds (SPEC 2.1)."""

from typing import NamedTuple

from backend.errors import refuse
from backend.i18n import gettext as _

BEFORE_DOORS_SECONDS = 6 * 3600  # crews, early queues and doors opened ahead of time
AFTER_END_SECONDS = 6 * 3600  # shows that overrun
MAX_LIFETIME_MINUTES = 0xFFFF  # two bytes: 45 days
MAX_EVENT_SECONDS = MAX_LIFETIME_MINUTES * 60 - BEFORE_DOORS_SECONDS - AFTER_END_SECONDS  # doors to end: 45 days


class Validity(NamedTuple):
    """`not_before` in Unix seconds; valid for `lifetime_minutes` from then."""

    not_before: int
    lifetime_minutes: int

    @property
    def not_after(self) -> int:
        return self.not_before + 60 * self.lifetime_minutes


def covers(not_before: int, not_after: int, doors_ms: int, ends_ms: int) -> bool:
    """Whether a credential of this window holds from doors to end; one from before a postponement may not."""
    return 1000 * not_before <= doors_ms and ends_ms <= 1000 * not_after


def validity(doors_ms: int, ends_ms: int) -> Validity:
    """The window of an event's credentials; refuses `event_too_long` beyond what two bytes of minutes can say."""
    doors, ends = doors_ms // 1000, -(-ends_ms // 1000)
    if ends - doors > MAX_EVENT_SECONDS:
        days = MAX_EVENT_SECONDS // 86400
        raise refuse("event_too_long", _("An event lasts at most %d days; make one event for each part") % days)
    minutes = -(-(ends - doors + BEFORE_DOORS_SECONDS + AFTER_END_SECONDS) // 60)
    return Validity(doors - BEFORE_DOORS_SECONDS, minutes)
