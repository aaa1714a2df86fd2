"""A machine room that gets warm is told of before anything fails."""

import json
from pathlib import Path
from typing import Any

import pytest
import urllib3
from sqlalchemy import Engine, select, update

from backend.db.engine import read
from backend.db.models import SensorReading
from backend.errors import Refused
from backend.ops.health import judge
from backend.ops.readings import SENSOR_MS, take_readings
from backend.ops.sensors import FILE, Sensor, ask_by_http, read_sensors, sensors_of
from tests.backend.notices.conftest import Hook, hook  # noqa: F401 - a fixture

ROOM = Sensor("rack temperature", "http://sensor/climate", ("inside", "0", "celsius"), "°C", 10, 32)


def says(value: Any) -> Any:
    return lambda _url: json.dumps({"inside": [{"celsius": value}]}).encode()


def silent(_url: str) -> bytes:
    raise urllib3.exceptions.TimeoutError


def environment(engine: Engine, folder: Path) -> tuple[str, str]:
    with read(engine) as connection:
        health = judge(take_readings(connection, folder / "no.sock", None))
    found = next(one for one in health if one.component == "environment")
    return found.state, found.cause


def long_ago(engine: Engine) -> None:
    with engine.begin() as connection:
        moved = SensorReading.outside_ms - SENSOR_MS - 1
        connection.execute(update(SensorReading).where(SensorReading.outside_ms.isnot(None)).values(outside_ms=moved))


@pytest.mark.parametrize(
    ("ask", "cause"), [(says(32.5), "outside"), (says(9.9), "outside"), (silent, "quiet"), (says("hot"), "quiet")]
)
def test_a_reading_outside_its_limits_becomes_a_warning_and_goes(
    engine: Engine, tmp_path: Path, ask: Any, cause: str
) -> None:
    read_sensors(engine, [ROOM], ask)
    assert environment(engine, tmp_path) == ("works", "within"), "one reading may be a mistake"
    long_ago(engine)
    read_sensors(engine, [ROOM], ask)
    assert environment(engine, tmp_path) == ("waits", cause)
    read_sensors(engine, [ROOM], says(21))
    assert environment(engine, tmp_path) == ("works", "within")


def test_a_sensor_taken_out_of_the_file_is_forgotten(engine: Engine) -> None:
    read_sensors(engine, [ROOM], says(50))
    read_sensors(engine, [], says(50))
    with read(engine) as connection:
        assert connection.execute(select(SensorReading)).all() == []


def test_the_file_names_what_is_read(tmp_path: Path) -> None:
    assert sensors_of(tmp_path) == []
    (tmp_path / FILE).write_text('[[sensors]]\nname="ups"\nurl="http://ups/"\nvalue="charge"\nunit="%"\nlow=50\n')
    assert sensors_of(tmp_path) == [Sensor("ups", "http://ups/", ("charge",), "%", 50, None)]


@pytest.mark.parametrize(
    "text",
    [
        "[[sensors]\n",
        '[[sensors]]\nname="a"\nurl="b"\nvalue="c"\n',
        '[[sensors]]\nname="a"\nurl="b"\nvalue="c"\nlow="cold"\n',
        '[[sensors]]\nname="a"\nurl="b"\nvalue="c"\nlow=1\nhihg=2\n',
        "sensors = [1]\n",
    ],
)
def test_a_file_that_cannot_work_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(Refused, match="bad_sensors"):
        sensors_of(tmp_path)


def test_it_is_read_by_http_and_an_error_is_silence(hook: Hook) -> None:  # noqa: F811 - the fixture
    assert ask_by_http(hook.url) == b""  # the server knows POST only: an error page is no reading
