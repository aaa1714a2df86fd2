"""An organiser's form as an event file: the form is only another way to write it, so one parser checks both. Pure."""

import json
import re
from collections.abc import Mapping, Sequence

MAX_CLASS_ROWS = 40  # of the form; a file may have more

_TEXTS = ("slug", "name", "venue", "time_zone", "currency", "offline_policy")
_NUMBERS = ("hold_minutes", "max_per_order", "max_per_buyer")
_TIMES = ("doors", "starts", "ends", "freeze", "sale_starts")
_REFUNDS, _ROOM = "refunds", "waiting_room"  # tables of the file
_CLASS_TEXTS = ("code", "name", "price", "policy")
_CLASS_NUMBERS = ("capacity", "zone", "resale_cap_percent", "royalty_percent")
CLASS_FIELDS = (*_CLASS_TEXTS, *_CLASS_NUMBERS, "rows")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?")
_NUMBER = re.compile(r"\d{1,12}(\.\d{1,6})?")


def class_rows(form: Mapping[str, str]) -> list[dict[str, str]]:
    """The kinds of tickets that were filled in, in their order; rows left empty are left out."""
    rows = [
        {field: form.get(f"class-{number}-{field}", "").strip() for field in CLASS_FIELDS}
        for number in range(1, MAX_CLASS_ROWS + 1)
    ]
    return [row for row in rows if any(row[field] for field in ("code", "name", "capacity", "price", "rows"))]


def event_file(form: Mapping[str, str], classes: Sequence[Mapping[str, str]]) -> bytes:
    """The form as TOML (examples/concert.toml). What is no number or time goes in as text, for the parser to refuse."""
    given = {name: form.get(name, "").strip() for name in (*_TEXTS, *_NUMBERS, *_TIMES)}
    lines = [f"{name} = {_text(given[name])}" for name in _TEXTS if given[name]]
    lines += [f"{name} = {_number(given[name])}" for name in _NUMBERS if given[name]]
    lines += [f"{name} = {_time(given[name])}" for name in _TIMES if given[name]]
    lines += _table(form, _REFUNDS, ("until",), ("keep_percent",), flag="self_service")
    lines += _table(form, _ROOM, ("opens",), ("rate_per_minute",))
    for row in classes:
        lines.append("[[classes]]")
        lines += [f"{name} = {_text(row[name])}" for name in _CLASS_TEXTS if row.get(name)]
        lines += [f"{name} = {_number(row[name])}" for name in _CLASS_NUMBERS if row.get(name)]
        if row.get("rows"):
            lines.append(f"rows = [{', '.join(_seats(part) for part in row['rows'].split(';') if part.strip())}]")
    return ("\n".join(lines) + "\n").encode()


def field_of(key: str) -> str:
    """The form's field for a key of the file: `classes[2].price` is `class-2-price`, whatever is in a row's seats."""
    found = re.match(r"classes\[(\d+)\]\.(\w+)", key)
    return f"class-{found[1]}-{found[2]}" if found else key.replace(".", "-")


def _table(
    form: Mapping[str, str], name: str, times: Sequence[str], numbers: Sequence[str], flag: str | None = None
) -> list[str]:
    """A table of the file from the fields `name-key`; none if all of them were left empty."""
    given = {key: form.get(f"{name}-{key}", "").strip() for key in (*times, *numbers)}
    lines = [f"{key} = {_time(given[key])}" for key in times if given[key]]
    lines += [f"{key} = {_number(given[key])}" for key in numbers if given[key]]
    if flag is not None and f"{name}-{flag}" in form:
        lines.append(f"{flag} = true")
    return [f"[{name}]", *lines] if lines else []


def _seats(part: str) -> str:
    """`A: 1-20` as a row of the plan."""
    row, _colon, seats = part.partition(":")
    return f"{{row = {_text(row.strip())}, seats = {_text(seats.strip())}}}"


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _number(value: str) -> str:
    return value if _NUMBER.fullmatch(value) else _text(value)


def _time(value: str) -> str:
    if not _TIME.fullmatch(value):
        return _text(value)
    return value if value.count(":") == 2 else f"{value}:00"  # browsers leave out the seconds
