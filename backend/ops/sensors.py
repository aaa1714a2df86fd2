"""Temperature, humidity, power, disk and the like, read by HTTP: a warning before something fails.

`sensor_file` says which there are. A sensor is somebody's cheap device: whatever it answers, it is a number, a bad
answer or silence, and never holds up more than its own reading.
"""

import json
import math
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import aiohttp
from sqlalchemy import Engine, delete, insert, select

from backend.db.clock import now_ms
from backend.db.tables.telling import SensorReading
from backend.http_thread import HttpThread, read_whole
from backend.ops.sensor_file import MAX_SENSORS, Sensor

SECONDS = 3.0  # for an answer, whole
MAX_BYTES = 64 * 1024
MAX_VALUE = 1e15  # beyond what any room has, bytes of a disk included
READ_EVERY_SECONDS = 15.0
CONNECTIONS = 4  # to one device, which may carry several sensors

Fault = Literal["quiet", "bad_answer"]
Ask = Callable[[str], bytes | Fault]


def read_sensors(engine: Engine, sensors: list[Sensor], ask: Ask) -> int:
    """Read all, side by side, and write what they say; 0, so that the task pauses."""
    with ThreadPoolExecutor(MAX_SENSORS) as threads:  # as many as there may be: none waits for a slow one
        found = list(threads.map(lambda one: _reading(one, ask(one.url)), sensors))
    with engine.begin() as connection:
        now = now_ms(connection)
        known = {row.name: row.outside_ms for row in connection.execute(select(SensorReading.__table__))}
        connection.execute(delete(SensorReading))
        rows = [
            {
                "name": one.name,
                "value": None if isinstance(said, str) else said,
                "fault": said if isinstance(said, str) else None,
                "unit": one.unit,
                "low": one.low,
                "high": one.high,
                "read_ms": now,
                "outside_ms": None if is_within(said, one.low, one.high) else known.get(one.name) or now,
            }
            for one, said in zip(sensors, found, strict=True)
        ]
        if rows:
            connection.execute(insert(SensorReading), rows)
    return 0


def is_within(said: float | Fault, low: float | None, high: float | None) -> bool:
    """Whether a reading is as it should be; a fault is not."""
    return not isinstance(said, str) and (low is None or said >= low) and (high is None or said <= high)


class SensorHttp:
    """Asks sensors by HTTP, each exchange under one hard deadline. Safe to use from any thread; `close` when done."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._http = HttpThread("sensors", CONNECTIONS)

    def ask(self, url: str) -> bytes | Fault:
        """The answer's body. A redirect is not followed: who may write a device must not choose whom we ask."""

        async def get(session: aiohttp.ClientSession) -> bytes | Fault:
            total = aiohttp.ClientTimeout(total=self._seconds)
            async with session.get(url, timeout=total, allow_redirects=False) as answer:
                return await read_whole(answer, MAX_BYTES) if answer.status == 200 else "bad_answer"

        try:
            return self._http.run(get, self._seconds)
        except (aiohttp.ClientConnectionError, OSError):  # a deadline that is over is one of the latter
            return "quiet"
        except aiohttp.ClientError:
            return "bad_answer"

    def close(self) -> None:
        """Drop all connections."""
        self._http.close()


def _reading(sensor: Sensor, body: bytes | Fault) -> float | Fault:
    if isinstance(body, str):
        return body
    try:
        found: Any = json.loads(body)
        for step in sensor.path:
            found = found[int(step)] if isinstance(found, list) else found[step]
        value = _number(found, sensor.unit)
    except (ValueError, TypeError, LookupError, OverflowError, RecursionError):
        return "bad_answer"
    return value if math.isfinite(value) and abs(value) <= MAX_VALUE else "bad_answer"


def _number(found: object, unit: str) -> float:
    """A JSON number, or text with one, alone or before the very unit that the file gives; else raises `ValueError`."""
    if isinstance(found, str):
        match = _NUMBER.fullmatch(found.strip())
        if match is None or match["unit"] not in ("", unit):
            raise ValueError
        return float(match["number"])
    if isinstance(found, bool) or not isinstance(found, (int, float)):
        raise TypeError
    return float(found)


_NUMBER = re.compile(r"(?P<number>[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?)\s*(?P<unit>.*)")
