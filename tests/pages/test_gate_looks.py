"""Every page and verdict of the gate in both languages, light and dark: kept as pictures, judged by axe."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace

import pytest
from nacl.signing import SigningKey
from playwright.sync_api import Browser, BrowserContext, expect

from credential.bundle import Gate, OfflinePolicy
from credential.digits import from_digits, to_digits
from credential.ids import token_id
from tests.pages import gate_world
from tests.pages.gate_page import GatePage, small_phone
from tests.pages.gate_world import ALICE, ALICES, BOB, BOBS, DAY, HOUR, KEYLESS, STOLEN, STRANGER, GateWorld
from tests.pages.looks import keep, look
from verifier.steps import owner_gate
from verifier.verdict import Code

LANGUAGES = ("en", "zh")
LOOKED_AT = {"admit", "stale", "forged"}  # one of each colour goes through axe; the rest differ in words alone

# What is shown, by the verdict it gives. Those that need another world are below.
SHOWN: dict[str, Callable[[GateWorld], str]] = {
    "admit": lambda world: world.full(),
    "already_used": lambda world: world.compact(),
    "malformed": lambda world: "0" * 489,
    "unsupported_version": lambda world: _changed(world.full(BOBS, BOB), 0, 0x10),
    "unknown_key": lambda world: world.full(BOBS, BOB, issuer=STRANGER),
    "key_not_valid": lambda world: world.full(BOBS, BOB, issuer=STOLEN),
    "forged": lambda world: _changed(world.full(BOBS, BOB), 30, 0x01),
    "wrong_event": lambda world: world.full(BOBS, BOB, event_tag=gate_world.OTHER_TAG),
    "wrong_platform": lambda world: world.full(BOBS, BOB, event_tag=bytes(8)),
    "show_full": lambda world: world.compact(KEYLESS, BOB),
    "not_yet_valid": lambda world: world.full(BOBS, BOB, not_before=world.now + 2 * HOUR),
    "expired": lambda world: world.full(BOBS, BOB, not_before=world.now - 2 * HOUR, lifetime_minutes=60),
    "stale": lambda world: world.full(BOBS, BOB, age=600),
    "early": lambda world: world.full(BOBS, BOB, age=-600),
    "wrong_challenge": lambda world: world.answer("001123456", BOBS, BOB),
    "unknown_ticket": lambda world: world.full(token_id(1, 99), BOB),
    "revoked": lambda world: world.full(gate_world.REVOKED, BOB),
    "suspended": lambda world: world.full(gate_world.SUSPENDED, BOB),
    "superseded": lambda world: world.full(gate_world.REKEYED, BOB, serial=1),
}
# An admission makes way for the camera after 4 s; here it stays, so that its picture is taken however slow the machine.
VERDICTS_STAY = """const later = setTimeout;
window.setTimeout = (step, ms, ...values) => (ms === 4000 ? 0 : later(step, ms, ...values));"""
ELSEWHERE = {
    *("trust_expired", "gate_clock", "challenge_expired", "not_enrolled", "other_gate", "cut_off"),
    *("no_data", "not_recorded"),
}


@pytest.fixture(params=LANGUAGES)
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    with small_phone(browser) as context:
        yield context


@pytest.fixture
def page(context: BrowserContext, site: str, world: GateWorld, language: str) -> GatePage:
    context.add_init_script(VERDICTS_STAY)
    return GatePage.visit(context, site, world, language)


def test_every_verdict_is_looked_at() -> None:
    assert set(SHOWN) | ELSEWHERE == set(Code)


def test_verdicts(page: GatePage, language: str) -> None:
    page.set_up().with_scanner()
    for code, shown in SHOWN.items():
        assert page.scan(shown(page.world)) == code
        (look if code in LOOKED_AT else keep)(page.page, f"gate-verdict-{code}", language)
    assert not page.watched.complaints


def test_verdicts_that_depend_on_the_gate(page: GatePage, language: str) -> None:
    page.world.alive = False
    page.set_up().with_scanner()
    _meet(page, "no_data", page.world.full(), language)
    page.world.alive = True
    bundle = page.world.bundle
    gates = (Gate(1, "North", None), Gate(2, "South 南门", None), Gate(3, "West", None))
    for version, (code, change) in enumerate(
        {
            "not_enrolled": {"gates": gates[1:]},
            "cut_off": {"gates": gates, "offline_policy": OfflinePolicy.REFUSE},
            "other_gate": {"gates": gates, "offline_policy": OfflinePolicy.HOME},
        }.items()
    ):
        page.world.bundle = replace(bundle, version=8 + version, **change)  # type: ignore[arg-type]
        page.sync()
        _meet(page, code, page.world.full(*_of_another_gate(page.world)), language)
    page.page.clock.set_system_time(page.world.now - HOUR)
    _meet(page, "gate_clock", page.world.full(), language)
    page.page.clock.set_system_time(page.world.now + 40 * DAY)
    _meet(page, "trust_expired", page.world.full(), language)


def test_challenge_that_took_too_long(page: GatePage, language: str) -> None:
    page.page.clock.install()
    page.set_up().with_scanner()
    page.page.locator("#gate-challenge-button").click()
    nine = page.page.locator("#gate-challenge").get_attribute("data-digits") or ""
    look(page.page, "gate-challenge", language)
    page.page.clock.fast_forward(61_000)
    _meet(page, "challenge_expired", page.world.answer(nine), language)


def test_disk_that_is_full(page: GatePage, language: str) -> None:
    page.set_up().with_scanner()
    fault = "throw new DOMException('full', 'QuotaExceededError')"
    page.page.evaluate(f"() => {{ IDBObjectStore.prototype.add = () => {{ {fault} }} }}")
    _meet(page, "not_recorded", page.world.full(), language)


def test_setting_up_getting_ready_and_the_menu(page: GatePage, language: str) -> None:
    expect(page.page.locator("#setup-code")).to_be_visible()
    look(page.page, "gate-set-up", language)
    page.set_up()
    look(page.page, "gate-ready", language)
    page.with_scanner()
    look(page.page, "gate-scanner", language)
    page.scan(page.world.full())
    page.page.locator("#gate-verdict .next").click()
    page.page.locator("#gate-more").click()
    look(page.page, "gate-menu", language)
    page.page.locator("#gate-menu .next").click()
    page.world.waits = {"en": "Minting waits: the chain node does not answer.", "zh": "登记等待中。链节点没有应答。"}[
        language
    ]
    page.page.reload()
    page.with_scanner()
    expect(page.page.locator("#gate-banner")).to_be_visible()
    look(page.page, "gate-banner", language)
    page.world.alive = False
    page.page.clock.set_system_time(page.world.now + HOUR)
    expect(page.page.locator("#gate-status")).to_have_attribute("data-level", "bad")
    look(page.page, "gate-server-dead", language)
    page.page.locator("#gate-stage button").click()
    expect(page.page.locator("#gate-stage .trouble")).to_be_visible()
    look(page.page, "gate-no-camera", language)


def _meet(page: GatePage, code: str, digits: str, language: str) -> None:
    assert page.scan(digits) == code
    keep(page.page, f"gate-verdict-{code}", language)


def _changed(digits: str, byte: int, bits: int) -> str:
    payload = from_digits(digits)
    assert isinstance(payload, bytes)
    return to_digits(payload[:byte] + bytes([payload[byte] ^ bits]) + payload[byte + 1 :])


def _of_another_gate(world: GateWorld) -> tuple[int, SigningKey]:
    """A ticket whose home is not gate 1, once there are three."""
    three = SimpleNamespace(event_tag=gate_world.TAG, gates=[SimpleNamespace(number=number) for number in (1, 2, 3)])
    tickets = {ALICES: ALICE, BOBS: BOB, gate_world.KEYLESS: BOB}
    return next((token, device) for token, device in tickets.items() if owner_gate(three, token) != 1)  # type: ignore[arg-type]
