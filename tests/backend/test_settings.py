"""Configuration that can't work is refused at start: by the setting's name, with what to write, and no secret said."""

from dataclasses import fields
from pathlib import Path

import pytest

from backend.cli import EXIT_USAGE, main
from backend.errors import SettingError
from backend.notices.operators import services_of
from backend.ops.sensor_file import FILE as SENSORS
from backend.settings import Settings, settings_from

SECRET = "hunter2"  # a password
LONG = "9" * 9_000  # also more digits than Python reads
EVERYWHERE = ("\x1b[31m", "two\nlines", "\udcff", "x" * 9_000)
NOT_A_NUMBER = ("", " ", "abc", "-1", "1e999", "nan", "1.5", "²", LONG)
NOT_A_URL = (
    *("", "abc", "-1", "/no/such/file", "gopher://x", "http://", "http://a b/", "http://x:99999", "http://x:0"),
    *("http://[::1", f"http://user:{SECRET}@[bad", "http://" + "x" * 3_000, "http://münchen.example"),
)
# Each setting's own; what is refused everywhere is beside.
ABSURD: dict[str, tuple[str, ...]] = {
    "DATA_DIR": ("", " ", "sqlite:///x", "/dev/null", "/dev/null/x", "a" * 300),
    "DATABASE_URL": (
        *("", "abc", "-1", "gopher://x", "sqlite:///", "sqlite:////tmp", "sqlite:////no/such/folder/x.sqlite"),
        *(f"postgresql://u:{SECRET}@h:abc/d", f"postgresql://u:{SECRET}@h:99999/d", "postgresql://h/a b", "mysql://h"),
        *("postgresql://[::1", "postgresql://h/d?port=abc"),
    ),
    "PUBLIC_URL": (
        *NOT_A_URL,
        f"https://u:{SECRET}@shop.example",
        "https://shop.example/?x",
        "https://shop.example/#x",
    ),
    "WEB_HOST": ("", " ", "-1", "http://x", "a b", "::g", "x" * 64),
    "WEB_PORT": (*NOT_A_NUMBER, "65536"),
    "TRUSTED_PROXIES": ("abc", "-1", "1e999", "10.0.0.1/8", "http://x"),
    "HOLDS_PER_SECOND": (*NOT_A_NUMBER, "0"),
    "UNPAID_HOLDS": (*NOT_A_NUMBER, "0"),
    "PLACES_PER_HOUR": (*NOT_A_NUMBER, "0"),
    "LOOKUPS_PER_HOUR": (*NOT_A_NUMBER, "0"),
    "NODE_URLS": (*(one for one in NOT_A_URL if one), "http://x,abc"),
    "CHAIN_ID": (*NOT_A_NUMBER, "0"),
    "FINALITY_BLOCKS": (*NOT_A_NUMBER, "0"),
    "DEVELOPMENT_CHAIN": ("", "abc", "-1", "true"),
    "BATCH_WAIT_SECONDS": NOT_A_NUMBER,
    "SANDBOX_PAYMENTS": ("", "abc", "-1", "yes"),
    "STRIPE_KEY": ("abc", "pk_test_1", f"sk_test_{SECRET}", "sk_test_a b", "sk_test_é"),
    "STRIPE_WEBHOOK_SECRET": (f"whsec_{SECRET} x", "whsec_é"),
    "STRIPE_API_URL": NOT_A_URL,
    "STRIPE_PAGES": NOT_A_URL,
    "CHAIN_TOKENS": ("abc", "EUR=native:0", "EUR=native:-1", "EUR=0x12:1", "EUR=native:1e9", f"EUR=native:{LONG[:20]}"),
    "SMTP_URL": ("abc", "smtp://", f"smtp://u:{SECRET}@h:abc", f"smtp://u:{SECRET}@", "http://x", "smtp://a b"),
    "MAIL_FROM": ("", "abc", "-1", "a b@c", "a@", "@b", f"smtp://u:{SECRET}@h"),
    "ALERT_URLS": ("abc", "-1", "json://", "json://a b", "/no/such/file"),
    "METRICS_TOKEN": ("0", "abc", "sixteen letters and blanks", "é" * 16),
    "TERMS_VERSION": ("", " ", "x" * 21),
    "KEEP_PERSONAL_DAYS": (*NOT_A_NUMBER, "0"),
    "ENVIRONMENT": ("", "abc", "Production"),
    "KILL_AT": ("abc", "-1", "1e999", "relayer.sent:", "relayer.sent:x", "relayer.sent:0", "relayer.sent:1:go"),
}


def test_the_table_has_every_setting() -> None:
    assert set(ABSURD) == {one.name.upper() for one in fields(Settings)}


@pytest.mark.parametrize("name", ABSURD)
def test_an_absurd_value_is_refused_by_its_settings_name_and_not_repeated(name: str) -> None:
    for value in (*ABSURD[name], *EVERYWHERE):
        with pytest.raises(SettingError) as refused:
            settings_from({f"TRUESTUB_{name}": value})
        asked = f"{name} took {value[:40]!r}"
        # A key without its secret asks for the secret, and the other way round.
        assert refused.value.name.removeprefix("TRUESTUB_") in (name, *_OTHER_HALF.get(name, ())), asked
        sentence = refused.value.sentence
        assert sentence.startswith(("must ", "is ", "names ")), asked
        assert "\n" not in sentence, asked
        assert SECRET not in sentence, asked


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "postgresql://truestub@/truestub?host=pg1:5432&host=pg2:5432&target_session_attrs=read-write"),
        ("DATABASE_URL", "postgresql://u:p%40ss@[::1]:5432/name?sslmode=require"),
        ("DATABASE_URL", "sqlite:////tmp/x.sqlite"),
        ("PUBLIC_URL", "https://shop.example:8443/tickets/"),
        ("WEB_HOST", "::1"),
        ("WEB_HOST", "web-1.internal"),
        ("NODE_URLS", "https://user:key@node.example/v3/abc?x=1, http://[::1]:8545"),
        ("TRUSTED_PROXIES", "10.0.0.0/8, ::1"),
        ("SMTP_URL", "smtps://user:p%40ss@mail.example:465"),
        ("MAIL_FROM", "Summer Nights <tickets@example.org>"),
        ("ALERT_URLS", "mailto://user:pass@example.org, json://127.0.0.1:9/x"),
        ("METRICS_TOKEN", "0123456789abcdef"),
        ("KILL_AT", "relayer.sent:3"),
        ("KILL_AT", "relayer.sent:3:stop"),
    ],
)
def test_what_the_guides_name_is_taken(name: str, value: str) -> None:
    settings_from({f"TRUESTUB_{name}": value})


def test_a_command_line_with_an_absurd_setting_says_one_sentence_and_ends_with_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("TRUESTUB_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("TRUESTUB_DATABASE_URL", f"postgresql://u:{SECRET}@h:abc/d")
    monkeypatch.setattr("sys.argv", ["truestub", "doctor"])
    assert main() == EXIT_USAGE == 2
    told = capsys.readouterr().err
    assert told.startswith("bad_setting: TRUESTUB_DATABASE_URL must ")
    assert told.count("\n") == 1
    assert SECRET not in told


@pytest.mark.parametrize("command", ["up", "work"])
def test_nothing_starts_beside_a_file_of_sensors_that_cannot_work(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, command: str
) -> None:
    (tmp_path / SENSORS).write_text('[[sensors]]\nname="a"\nurl="http://b/"\nvalue="c"\nlow=1\n' * 2)
    monkeypatch.setenv("TRUESTUB_DATA_DIR", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["truestub", command])
    assert main() == EXIT_USAGE
    assert capsys.readouterr().err.startswith(f'bad_setting: {SENSORS} names "a" twice; ')


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")  # by one of apprise's hundred services
@pytest.mark.parametrize("url", [f"gopher://{SECRET}@x", f"slack://{SECRET}", f"smtp://u:{SECRET}@h", "http://x:99999"])
def test_a_service_that_apprise_does_not_know_stops_the_start_and_is_not_logged(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(SettingError, match="number 2") as refused:
        services_of(["json://127.0.0.1:9/", url])
    assert refused.value.name == "TRUESTUB_ALERT_URLS"
    assert SECRET not in refused.value.sentence + caplog.text


_OTHER_HALF = {"STRIPE_KEY": ("STRIPE_WEBHOOK_SECRET",), "STRIPE_WEBHOOK_SECRET": ("STRIPE_KEY",)}
