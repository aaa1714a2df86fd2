"""The doctor names what is wrong and what to do, and finds nothing where nothing is."""

import dataclasses
import errno
import math
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, update

from backend.chain.keys import ensure_chain_keys
from backend.chain.rpc import Node
from backend.chain.transport import Transport
from backend.clock import system_clock
from backend.db.clock import now_ms
from backend.db.engine import make_engine, read
from backend.db.tables.upkeep import BACKUP, DRILL, UpkeepRow
from backend.ops.doctor import Finding, examine_installation
from backend.ops.health import judge
from backend.ops.readings import take_readings
from backend.ops.restore import mark
from backend.ops.sensor_file import FILE
from backend.ops.upkeep import OLD_HOURS, booked
from backend.sales.installation import ensure_platform, installation_secret
from backend.settings import Settings, settings_from
from tests.backend.notices.conftest import Hook, hook  # noqa: F401 - a fixture


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    made = settings_from({"TRUESTUB_DATA_DIR": str(tmp_path / "data"), "TRUESTUB_DATABASE_URL": database_url})
    installation_secret(made.keys_dir)
    ensure_chain_keys(made)
    return made


@pytest.fixture
def transport() -> Iterator[Transport]:
    transport = Transport()
    yield transport
    transport.close()


def ask(settings: Settings, engine: Engine, *nodes: Node, ahead: float = 0.0) -> dict[str, list[Finding]]:
    found: dict[str, list[Finding]] = {}
    for one in examine_installation(settings, engine, list(nodes), lambda: system_clock() + ahead):
        assert one.verdict == "good" or one.do, one
        found.setdefault(one.area, []).append(one)
    return found


def test_a_fresh_installation_has_nothing_bad(settings: Settings, engine: Engine) -> None:
    found = ask(settings, engine)
    assert [one for group in found.values() for one in group if one.verdict == "bad"] == []


def test_a_host_with_a_wrong_clock_is_told(settings: Settings, engine: Engine) -> None:
    (clock,) = ask(settings, engine, ahead=30)["clock"]
    assert (clock.verdict, "NTP" in clock.do) == ("bad", True)


def test_keys_that_others_can_read_are_told(settings: Settings, engine: Engine) -> None:
    settings.keys_dir.chmod(0o755)
    assert ask(settings, engine)["configuration"][0].verdict == "bad"


def test_an_old_schema_and_a_silent_database_are_told_apart(settings: Settings, engine: Engine) -> None:
    empty = make_engine("sqlite://")
    assert ask(settings, empty)["migrations"][0].do == "Run: truestub db upgrade"
    empty.dispose()
    away = make_engine("postgresql://127.0.0.1:1/none")
    assert ask(settings, away)["database"][0].verdict == "bad"
    away.dispose()


def test_an_endpoint_that_is_not_a_node_is_said_in_a_sentence_and_sales_stay_open(
    settings: Settings,
    engine: Engine,
    transport: Transport,
    hook: Hook,  # noqa: F811 - the fixture
) -> None:
    hook.echoes = False
    (chain,) = ask(settings, engine, Node(hook.url, transport))["chain"]
    assert "is not an Ethereum node" in chain.what
    assert "sales stay open" in chain.do


def test_a_sensor_file_with_a_mistake_is_told(settings: Settings, engine: Engine) -> None:
    (settings.data_dir / FILE).write_text("[[sensors]")
    assert ask(settings, engine)["sensors"][0].verdict == "bad"


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")  # by one of apprise's hundred services
def test_a_service_for_operators_that_nobody_knows_is_told(settings: Settings, engine: Engine) -> None:
    assert ask(settings, engine)["alerts"][0].verdict == "good"
    wrong = dataclasses.replace(settings, alert_urls=("gopher://hunter2@x",))
    (found,) = ask(wrong, engine)["alerts"]
    assert (found.verdict, "TRUESTUB_ALERT_URLS" in found.what, "hunter2" in found.what) == ("bad", True, False)


def test_an_installation_that_was_never_made_says_what_to_run(settings: Settings, engine: Engine) -> None:
    nowhere = dataclasses.replace(settings, data_dir=settings.data_dir / "nowhere")
    assert ask(nowhere, engine)["configuration"][0].do == "Run: truestub init"


def test_backups_and_drills_that_failed_or_were_forgotten_are_told(settings: Settings, engine: Engine) -> None:
    with engine.begin() as connection:
        ensure_platform(connection)
    assert [one.verdict for one in ask(settings, engine)["backup"]] == ["look", "look"], "there was none yet"
    for name in (BACKUP, DRILL):
        with booked(settings, name, no_words):
            pass
    assert [one.verdict for one in ask(settings, engine)["backup"]] == ["good", "good"]
    with pytest.raises(OSError, match="No space"), booked(settings, BACKUP, no_words):
        raise OSError(errno.ENOSPC, "No space left on device")
    with booked(settings, DRILL, no_words) as problems:
        problems.append("stock says 3")
    backup, drill = ask(settings, engine)["backup"]
    assert (backup.verdict, "No space left" in backup.what) == ("bad", True)
    assert (drill.verdict, "stock says 3" in drill.what) == ("bad", True)
    with engine.begin() as connection:
        old = now_ms(connection) - 10 * 24 * 3_600_000
        connection.execute(update(UpkeepRow).values(good_ms=old, problem=None))
        found = take_readings(connection, settings.signer_socket, None)
    assert [one.verdict for one in ask(settings, engine)["backup"]] == ["bad", "look"]
    assert (found.backup_ms, found.drill_ms) == (old, old)


def test_a_restored_database_that_waits_is_told(settings: Settings, engine: Engine) -> None:
    with engine.begin() as connection:
        ensure_platform(connection)
        mark(connection, made_at=1)
    _answers, waits = ask(settings, engine)["database"]
    assert (waits.verdict, "truestub reconcile" in waits.do) == ("bad", True)
    with read(engine) as connection:
        told = judge(take_readings(connection, settings.signer_socket, None))
    assert {one.component: one.cause for one in told}["sales"] == "restored", "and buyers are, by the banner"


def test_where_no_database_is_a_drill_books_nothing_and_makes_none(tmp_path: Path) -> None:
    settings, said = settings_from({"TRUESTUB_DATA_DIR": str(tmp_path / "elsewhere")}), list[str]()
    with booked(settings, DRILL, said.append):
        pass
    assert "not booked" in said[0]
    assert not (tmp_path / "elsewhere").exists()


def no_words(sentence: str) -> None:
    raise AssertionError(sentence)


def test_alerts_and_doctor_agree_when_a_backup_is_old() -> None:
    rules = Path("docs/operating/alerts.yml").read_text()
    for name, hours in OLD_HOURS.items():
        (product,) = re.findall(rf"truestub_{name}_age_seconds > ([\d* ]+)", rules)
        assert math.prod(int(factor) for factor in product.split("*")) == 3600 * hours
