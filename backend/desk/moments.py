"""Days and times of a form, which are meant as the clock at the venue shows them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from backend.domain.event_file import moment_ms
from backend.errors import refuse
from backend.i18n import gettext as _


def moment_of(form: Mapping[str, str], key: str, time_zone: str) -> int:
    """Unix milliseconds of the form's field; refuses (`bad_time`) what is no day and time."""
    try:
        moment = datetime.fromisoformat(form.get(key, "").strip())
        return moment_ms(moment, key, ZoneInfo(time_zone))
    except (ValueError, OverflowError) as error:
        raise refuse("bad_time", _("Write a day and a time"), key=key) from error


def as_written(at_ms: int, time_zone: str) -> str:
    """The moment as browsers fill it into a field (`datetime-local`)."""
    moment = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(ZoneInfo(time_zone))
    return moment.strftime("%Y-%m-%dT%H:%M")
