"""A machine room that gets warm is told of before anything fails, whatever its cheap sensors answer."""

import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import Engine, select, update

from backend.db.engine import read
from backend.db.tables.telling import SensorReading
from backend.errors import SettingError
from backend.ops.health import judge
from backend.ops.incidents import OPEN_AFTER_MS, Memory, step, troubles_of
from backend.ops.readings import OLD_SENSOR_MS, SENSOR_MS, Readings, take_readings
from backend.ops.sensor_file import FILE, Sensor, sensors_of
from backend.ops.sensors import SensorHttp, read_sensors

ROOM = Sensor("rack temperature", "http://sensor/climate", ("inside", "0", "celsius"), "°C", 10, 32)
GOOD = '[[sensors]]\nname="a"\nurl="http://b/"\nvalue="c"\nlow=1\n'
HUGE_BYTES = 100 * 1024 * 1024
SHORT_SECONDS, LONG_SECONDS = 0.1, 30  # deadlines: where it is waited for, and where it must not come into play


def says(value: Any) -> Any:
    return lambda _url: json.dumps({"inside": [{"celsius": value}]}).encode()


def inside(number: str) -> str:
    return f'{{"inside": [{{"celsius": {number}}}]}}'


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
    ("ask", "cause"),
    [
        (says(32.5), "outside"),
        (says("9.9 °C"), "outside"),
        (lambda _url: "quiet", "quiet"),
        (says("hot"), "bad_answer"),
    ],
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


NO_READINGS = (
    *(inside(number) for number in ("NaN", "Infinity", "-Infinity", "1e400", "1e16", "9" * 400, "9" * 5000)),
    *(inside(text) for text in ('"70 °F"', '"nan"', '"1_0"', '"21 °C °C"', "true", "null", "[21]", '""')),
    *("[" * 50_000, "", "<html>21</html>", "21", '{"inside": 21}', '{"inside": []}', '{"inside": {"0": "x"}}'),
)
READINGS_OF_21 = tuple(inside(text) for text in ('"21"', '"21.0 °C"', '" 2.1e1°C "', "21"))


def test_what_is_no_reading_is_called_a_bad_answer_and_never_a_number(engine: Engine) -> None:
    said = NO_READINGS + READINGS_OF_21
    sensors = [replace(ROOM, name=str(place), url=str(place)) for place in range(len(said))]
    read_sensors(engine, sensors, lambda place: said[int(place)].encode())
    with read(engine) as connection:
        rows = connection.execute(select(SensorReading.__table__)).all()
    found = {said[int(row.name)]: (row.value, row.fault) for row in rows}
    assert found == {**dict.fromkeys(NO_READINGS, (None, "bad_answer")), **dict.fromkeys(READINGS_OF_21, (21, None))}


def test_a_reading_of_a_minute_ago_says_nothing_of_now(engine: Engine, tmp_path: Path) -> None:
    read_sensors(engine, [ROOM], says(21))
    with engine.begin() as connection:
        connection.execute(update(SensorReading).values(read_ms=SensorReading.read_ms - OLD_SENSOR_MS - 1))
    assert environment(engine, tmp_path) == ("waits", "quiet")


def test_a_worker_that_starts_reads_before_it_raises_an_alarm_of_old_readings() -> None:
    now = 1_900_000_000_000
    old = Readings(at_ms=now, sensor="rack", sensor_fault="quiet", sensor_since_ms=now - 3_600_000)
    environment = {"environment": troubles_of(judge(old))["environment"]}
    first = step(Memory(), [], environment, now)
    assert first.opened == ()
    assert [one.cause for one, _since in step(first.memory, [], environment, now + OPEN_AFTER_MS).opened] == ["quiet"]


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
    ("text", "named"),
    [
        ("[[sensors]\n", "TOML"),
        ("sensors = [1]\n", "each sensor"),
        ("sensors = 1\n", "nothing but"),
        (GOOD.replace("sensors", "sensor"), "nothing but"),
        (GOOD * 65, "more than 64"),
        (GOOD * 2, 'names "a" twice'),
        (GOOD.replace('"a"', '""'), "1 to 60"),
        (GOOD.replace('"a"', f'"{"a" * 61}"'), "1 to 60"),
        (GOOD.replace("low=1", ""), 'give "a" low'),
        (GOOD.replace("low=1", 'low="cold"'), 'give "a" low'),
        (GOOD.replace("low=1", "low=nan"), 'give "a" low'),
        (GOOD.replace("low=1", "low=true"), 'give "a" low'),
        (GOOD.replace("low=1", "low=3\nhigh=2"), 'give "a" low'),
        (GOOD.replace("low=1", "low=1\nhihg=2"), "each sensor"),
        (GOOD.replace("http://b/", "file:///etc/passwd"), 'give "a" a url'),
        (GOOD.replace("http://b/", "http://b c/"), 'give "a" a url'),
        (GOOD.replace("http://b/", "http://b:99999/"), 'give "a" a url'),
    ],
)
def test_a_file_that_cannot_work_is_refused_by_name(tmp_path: Path, text: str, named: str) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(SettingError, match=named) as refused:
        sensors_of(tmp_path)
    assert refused.value.name == FILE


@dataclass
class Device:
    """A sensor that misbehaves as its path says; `asked` counts who came to `/elsewhere`."""

    url: str
    ended: threading.Event = field(default_factory=threading.Event)
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def device() -> Iterator[Device]:
    made = Device("")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.asked.append(self.path)
            with suppress(BrokenPipeError, ConnectionResetError):  # whoever asked had enough
                _MISBEHAVIOUR[self.path](self, made)

        def log_message(self, *_arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    made.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield made
    made.ended.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def http() -> Iterator[SensorHttp]:
    made = SensorHttp(LONG_SECONDS)
    yield made
    made.close()


@pytest.fixture
def hasty() -> Iterator[SensorHttp]:
    made = SensorHttp(SHORT_SECONDS)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("path", "outcome"),
    [
        ("/good", b"21"),
        ("/hang-up", "quiet"),
        ("/huge", "bad_answer"),
        ("/cut", "bad_answer"),
        ("/moved", "bad_answer"),
        ("/missing", "bad_answer"),
        ("/not-http", "bad_answer"),
    ],
)
def test_a_device_that_misbehaves_is_named(device: Device, http: SensorHttp, path: str, outcome: bytes | str) -> None:
    assert http.ask(device.url + path) == outcome
    assert "/elsewhere" not in device.asked, "a device chose whom we ask"


@pytest.mark.parametrize("path", ["/drip", "/mute"])
def test_a_device_that_never_ends_is_quiet_when_its_time_is_up(device: Device, hasty: SensorHttp, path: str) -> None:
    assert hasty.ask(device.url + path) == "quiet"


def test_a_device_that_is_away_is_quiet(http: SensorHttp) -> None:
    assert http.ask("http://127.0.0.1:1/") == "quiet"


def test_dripping_sensors_do_not_hold_up_the_others(
    engine: Engine, device: Device, http: SensorHttp, hasty: SensorHttp
) -> None:
    slow = [Sensor(f"slow {n}", device.url + "/drip", (), "", 0, None) for n in range(20)]
    good = Sensor("good", device.url + "/good", (), "", 0, None)
    read_sensors(engine, [*slow, good], lambda url: (http if url == good.url else hasty).ask(url))
    with read(engine) as connection:
        found = {row.name: row.fault for row in connection.execute(select(SensorReading.__table__))}
    assert found == {**{one.name: "quiet" for one in slow}, "good": None}


def _head(handler: BaseHTTPRequestHandler, status: int, length: int, **headers: str) -> None:
    handler.send_response(status)
    handler.send_header("Content-Length", str(length))
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.end_headers()


def _good(handler: BaseHTTPRequestHandler, _device: Device) -> None:
    _head(handler, 200, 2)
    handler.wfile.write(b"21")


def _drip(handler: BaseHTTPRequestHandler, device: Device) -> None:
    _head(handler, 200, 1000)
    while not device.ended.wait(0.05):
        handler.wfile.write(b" ")


def _mute(_handler: BaseHTTPRequestHandler, device: Device) -> None:
    device.ended.wait()


def _hang_up(handler: BaseHTTPRequestHandler, _device: Device) -> None:
    handler.close_connection = True


def _huge(handler: BaseHTTPRequestHandler, _device: Device) -> None:
    _head(handler, 200, HUGE_BYTES)
    for _ in range(HUGE_BYTES // 65536):
        handler.wfile.write(b"2" * 65536)


def _cut(handler: BaseHTTPRequestHandler, _device: Device) -> None:
    _head(handler, 200, 10)
    handler.wfile.write(b"21")
    handler.close_connection = True


def _moved(handler: BaseHTTPRequestHandler, device: Device) -> None:
    _head(handler, 302, 0, Location=f"{device.url}/elsewhere")


def _not_http(handler: BaseHTTPRequestHandler, _device: Device) -> None:
    handler.wfile.write(b"21 degrees\r\n\r\n")


_MISBEHAVIOUR = {
    "/good": _good,
    "/elsewhere": _good,
    "/drip": _drip,
    "/mute": _mute,
    "/hang-up": _hang_up,
    "/huge": _huge,
    "/cut": _cut,
    "/moved": _moved,
    "/missing": lambda handler, _device: _head(handler, 404, 0),
    "/not-http": _not_http,
}
