"""Temperature, humidity, power, disk and the like, read by HTTP: a warning before something fails.

`sensors.toml` in the data folder names them; a sensor answers JSON, and `value` is the path of its number in it:

    [[sensors]]
    name = "rack temperature"
    url = "http://192.0.2.7/climate.json"
    value = "inside.celsius"
    unit = "°C"
    low = 10
    high = 32
"""

import json
import tomllib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3
from sqlalchemy import Engine, delete, insert, select

from backend.db.clock import now_ms
from backend.db.models import SensorReading
from backend.errors import Refused, refuse
from backend.i18n import gettext as _

FILE = "sensors.toml"
SECONDS = 3.0  # for an answer, whole
MAX_BYTES = 64 * 1024
MAX_SENSORS = 64
READ_EVERY_SECONDS = 15.0

Ask = Callable[[str], bytes]


@dataclass(frozen=True, slots=True)
class Sensor:
    """Where a number is found, and between what it should be."""

    name: str
    url: str
    path: tuple[str, ...]
    unit: str
    low: float | None
    high: float | None


def sensors_of(folder: Path) -> list[Sensor]:
    """What `sensors.toml` names; nothing without one. Refuses a file that can't work, naming the sensor."""
    file = folder / FILE
    if not file.exists():
        return []
    try:
        told = tomllib.loads(file.read_text()).get("sensors", [])
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _bad(str(error)) from error
    if len(told) > MAX_SENSORS:
        raise refuse(
            "bad_sensors", _("%(file)s names more than %(most)d sensors") % {"file": FILE, "most": MAX_SENSORS}
        )
    return [_sensor(one) for one in told]


def read_sensors(engine: Engine, sensors: list[Sensor], ask: Ask) -> int:
    """Read all, side by side, and write what they say; 0, so that the task pauses."""
    with ThreadPoolExecutor(max(1, min(8, len(sensors)))) as threads:
        values = list(threads.map(lambda one: _value(one, ask), sensors))
    with engine.begin() as connection:
        now = now_ms(connection)
        known = {row.name: row.outside_ms for row in connection.execute(select(SensorReading.__table__))}
        connection.execute(delete(SensorReading))
        rows = [
            {
                "name": one.name,
                "value": value,
                "unit": one.unit,
                "low": one.low,
                "high": one.high,
                "read_ms": now,
                "outside_ms": None if is_within(value, one.low, one.high) else known.get(one.name) or now,
            }
            for one, value in zip(sensors, values, strict=True)
        ]
        if rows:
            connection.execute(insert(SensorReading), rows)
    return 0


def is_within(value: float | None, low: float | None, high: float | None) -> bool:
    """Whether a reading is as it should be; silence is not."""
    return value is not None and (low is None or value >= low) and (high is None or value <= high)


def ask_by_http(url: str) -> bytes:
    """The answer's body; raises `urllib3.exceptions.HTTPError`."""
    timeout = urllib3.Timeout(total=SECONDS)
    answer = urllib3.request("GET", url, timeout=timeout, retries=False, preload_content=False)
    try:
        return bytes(answer.read(MAX_BYTES)) if answer.status == 200 else b""
    finally:
        answer.close()


def _value(sensor: Sensor, ask: Ask) -> float | None:
    try:
        found: Any = json.loads(ask(sensor.url))
        for step in sensor.path:
            found = found[int(step)] if isinstance(found, list) else found[step]
        return float(found)
    except (urllib3.exceptions.HTTPError, ValueError, TypeError, KeyError, IndexError):
        return None


def _sensor(told: Any) -> Sensor:  # noqa: ANN401 - what a TOML file may hold
    if not isinstance(told, dict) or not {"name", "url", "value"} <= set(told) <= _FIELDS:
        raise _bad(_("each sensor has name, url, value and low or high, and may have unit"))
    limits = [told.get("low"), told.get("high")]
    if limits == [None, None] or not all(one is None or isinstance(one, (int, float)) for one in limits):
        raise _bad(_("low and high are numbers, and one of them must be there"))
    low, high = limits
    path = tuple(str(told["value"]).split("."))
    return Sensor(str(told["name"])[:60], str(told["url"]), path, str(told.get("unit", ""))[:12], low, high)


def _bad(what: str) -> Refused:
    return refuse("bad_sensors", f"{FILE}: {what}")


_FIELDS = {"name", "url", "value", "unit", "low", "high"}
