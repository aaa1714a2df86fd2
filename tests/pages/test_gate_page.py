"""The gate's page: scans, remembers, works alone, and says what to do when something is wrong."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from credential.bundle import OfflinePolicy, Status, Ticket, sign_bundle
from credential.keylist import sign_key_list
from tests.pages import gate_world
from tests.pages.gate_page import GatePage, small_phone, under_plain_http
from tests.pages.gate_world import BOB, BOBS, BUNDLER, LATER, REKEYED, STRANGER, GateWorld
from tests.pages.phones import await_on


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    with small_phone(browser) as context:
        yield context


@pytest.fixture
def gate(context: BrowserContext, site: str, world: GateWorld) -> GatePage:
    """Set up, with a USB scanner."""
    return GatePage.visit(context, site, world).set_up().with_scanner()


def test_ticket_is_admitted_once(gate: GatePage) -> None:
    assert gate.scan(gate.world.full()) == "admit"
    assert "Standing" in gate.verdict
    assert "East" in gate.verdict
    assert gate.scan(gate.world.compact()) == "already_used"
    assert "gate North" in gate.verdict
    assert not gate.watched.complaints


def test_screenshot_older_than_window_is_stale(gate: GatePage) -> None:
    assert gate.scan(gate.world.full(age=600)) == "stale"
    assert gate.scan(gate.world.full()) == "admit"


def test_altered_code_is_forged(gate: GatePage) -> None:
    digits = gate.world.full()
    assert gate.scan(digits[:-1] + str((int(digits[-1]) + 1) % 10)) == "forged"
    assert gate.scan(digits) == "admit"


def test_invalid_scans_never_jam_the_next(gate: GatePage) -> None:
    for junk in ("12345678", "0" * 489, "9" * 186, "1" * 1999):
        assert gate.scan(junk) == "malformed"
    assert gate.scan(gate.world.compact()) == "admit"


def test_scanner_that_types_real_keys_is_heard_whatever_has_the_focus(gate: GatePage) -> None:
    gate.page.locator("#gate-more").focus()
    gate.page.keyboard.type(gate.world.compact())
    gate.page.keyboard.press("Enter")
    gate.await_verdict("admit")
    assert not gate.page.locator("#gate-menu").is_visible()  # its Enter pressed no button


def test_scanner_without_enter_is_heard(gate: GatePage) -> None:
    gate.page.keyboard.type(gate.world.compact())
    gate.await_verdict("admit")


def test_admissions_outlive_the_page(gate: GatePage) -> None:
    assert gate.scan(gate.world.full()) == "admit"
    gate.page.reload()
    gate.with_scanner()
    assert gate.scan(gate.world.full()) == "already_used"


def test_two_tabs_admit_a_ticket_once(context: BrowserContext, gate: GatePage) -> None:
    other = GatePage.visit(context, gate.site, gate.world).with_scanner()
    digits = gate.world.full()
    assert {gate.scan(digits), other.scan(digits)} == {"admit", "already_used"}


def test_newer_credential_kills_the_older_one(gate: GatePage) -> None:
    assert gate.scan(gate.world.full(REKEYED, BOB, serial=2)) == "superseded"
    assert gate.scan(gate.world.full(BOBS, gate_world.ALICE, serial=2, issued_at=gate.world.now)) == "admit"
    gate.page.reload()
    gate.with_scanner()
    assert gate.scan(gate.world.full(BOBS, BOB)) == "superseded"


def test_works_with_the_server_dead_and_hands_over_later(gate: GatePage) -> None:
    gate.world.alive = False
    assert gate.scan(gate.world.full()) == "admit"
    assert gate.scan(gate.world.full(LATER, BOB, issued_at=gate.world.now)) == "admit"  # sold after the bundle was made
    gate.waiting(2)
    assert gate.world.records == []
    gate.world.alive = True
    gate.sync()
    gate.waiting(0)
    assert len(gate.world.records) == 2
    gate.sync()
    assert len(gate.world.records) == 2  # each handed over once


def test_hand_over_goes_on_where_it_was_cut_off(gate: GatePage) -> None:
    gate.world.answer_next = 0  # the server says it took nothing
    assert gate.scan(gate.world.full()) == "admit"
    await_on(gate.page, lambda: gate.world.received, "the hand-over")
    gate.waiting(1)
    gate.world.answer_next = None
    gate.sync()
    gate.waiting(0)
    assert gate.world.received[-1]["from"] == 0


def test_what_a_restored_server_lost_is_handed_over_again(gate: GatePage) -> None:
    gate.scan(gate.world.full())
    gate.waiting(0)
    gate.world.lost_from = 0
    gate.scan(gate.world.full(LATER, BOB, issued_at=gate.world.now))
    gate.waiting(0)
    last = gate.world.received[-1]
    assert (last["from"], len(last["records"])) == (0, 2)
    assert last["head"] == gate.world.received[0]["head"]


@pytest.mark.parametrize("how", ["truncated", "altered", "older", "of another event", "by another key"])
def test_data_that_cannot_be_trusted_leaves_the_old_in_force(gate: GatePage, how: str) -> None:
    newer = replace(
        gate.world.bundle,
        version=8,
        tickets=gate.world.bundle.tickets.with_rows(8, {0: Ticket(status=Status.REVOKED, serial=1)}),
    )
    signed = sign_bundle(newer, BUNDLER)
    gate.world.bundle_bytes = {
        "truncated": signed[:-100],
        "altered": signed[:200] + bytes([signed[200] ^ 1]) + signed[201:],
        "older": sign_bundle(replace(newer, version=6), BUNDLER),
        "of another event": sign_bundle(
            replace(newer, event_id=gate_world.OTHER_EVENT, event_tag=gate_world.OTHER_TAG), STRANGER
        ),
        "by another key": sign_bundle(newer, STRANGER),
    }[how]
    gate.sync()
    assert gate.scan(gate.world.full()) == "admit"
    gate.page.locator("#gate-more").click()
    expect(gate.page.locator("#gate-menu .trouble")).to_contain_text("can't be trusted")


def test_newer_data_is_taken_up(gate: GatePage) -> None:
    tickets = gate.world.bundle.tickets.with_rows(8, {0: Ticket(status=Status.REVOKED, serial=1)})
    gate.world.bundle = replace(gate.world.bundle, version=8, tickets=tickets)
    gate.sync()
    assert gate.scan(gate.world.full()) == "revoked"


def test_key_list_of_other_roots_is_refused(context: BrowserContext, site: str, world: GateWorld) -> None:
    world.keys_bytes = sign_key_list(world.key_list, [STRANGER])
    gate = GatePage.visit(context, site, world).set_up().with_scanner()
    assert gate.scan(world.full()) == "no_data"


def test_gate_whose_pass_was_withdrawn_goes_on_and_says_so(gate: GatePage) -> None:
    gate.world.token = "another"
    gate.sync()
    gate.page.locator("#gate-more").click()
    expect(gate.page.locator("#gate-menu .trouble")).to_contain_text("Ask for a new set-up code")
    gate.page.locator("#gate-menu .next").click()
    assert gate.scan(gate.world.full()) == "admit"


def test_set_up_codes_that_are_none_say_what_to_do(context: BrowserContext, site: str, world: GateWorld) -> None:
    gate = GatePage.visit(context, site, world)
    for code, words in (
        ("hello", "Copy the whole text"),
        ("{}", "Copy the whole text"),
        (world.setup_code(site)[:-9], "Copy the whole text"),
        (world.setup_code("https://elsewhere.example"), "another server"),
    ):
        gate.page.locator("#setup-code").fill(code)
        gate.page.locator("#gate-stage button[type=submit]").click()
        expect(gate.page.locator("#setup-problem")).to_contain_text(words)
    gate.set_up()


def test_gate_is_not_set_up_anew_over_admissions_that_only_it_knows(gate: GatePage) -> None:
    gate.world.alive = False
    gate.scan(gate.world.full())
    gate.page.locator("#gate-more").click()
    gate.page.get_by_role("button", name="Set up another gate").click()
    gate.page.locator("#setup-code").fill(gate.world.setup_code(gate.site))
    gate.page.locator("#gate-stage button[type=submit]").click()
    expect(gate.page.locator("#setup-problem")).to_contain_text("Sync first")


# A challenge.


def test_answer_to_the_challenge_admits_a_phone_whose_clock_is_wrong(gate: GatePage) -> None:
    assert gate.scan(gate.world.full(age=3600)) == "stale"
    gate.page.get_by_role("button", name="Start a challenge").click()
    nine = gate.page.locator("#gate-challenge").get_attribute("data-digits") or ""
    assert nine.startswith("001")
    assert gate.scan(gate.world.answer(nine)) == "admit"
    assert not gate.page.locator("#gate-challenge").is_visible()
    assert gate.scan(gate.world.answer(nine, BOBS, BOB)) == "wrong_challenge"  # each is used once


def test_answer_to_another_challenge_is_refused(gate: GatePage) -> None:
    gate.page.locator("#gate-challenge-button").click()
    nine = gate.page.locator("#gate-challenge").get_attribute("data-digits") or ""
    other = f"{nine[:3]}{(int(nine[3:]) + 1) % 1_000_000:06d}"
    assert gate.scan(gate.world.answer(other)) == "wrong_challenge"
    assert gate.scan(gate.world.answer(nine)) == "admit"


# What staff must know.


def test_clock_behind_its_data_asks_for_a_challenge(context: BrowserContext, site: str, world: GateWorld) -> None:
    gate = GatePage.visit(context, site, world).set_up().with_scanner()
    gate.page.clock.set_system_time(world.now - 3600)
    assert gate.scan(world.full()) == "gate_clock"
    expect(gate.page.locator(".status-risk")).to_contain_text("clock is behind")
    gate.page.locator("#gate-challenge-button").click()
    nine = gate.page.locator("#gate-challenge").get_attribute("data-digits") or ""
    assert gate.scan(world.answer(nine)) == "admit"


def test_age_and_risk_of_the_data_are_said_in_words(gate: GatePage) -> None:
    expect(gate.page.locator(".status-age")).to_have_text("Data up to date")
    gate.world.alive = False
    gate.page.clock.set_system_time(gate.world.now + 20 * 60)
    expect(gate.page.locator(".status-age")).to_have_text("Data 20 min old")
    expect(gate.page.locator("#gate-status")).to_have_attribute("data-level", "bad")
    expect(gate.page.locator(".status-risk")).to_contain_text("may enter with its old code")


def test_rule_of_an_event_with_several_gates_is_said(context: BrowserContext, site: str, world: GateWorld) -> None:
    gates = (*world.bundle.gates, replace(world.bundle.gates[0], number=2, name="South"))
    world.bundle = replace(world.bundle, gates=gates, offline_policy=OfflinePolicy.REFUSE)
    gate = GatePage.visit(context, site, world).set_up().with_scanner()
    expect(gate.page.locator(".status-risk")).to_contain_text("admit nobody")
    assert gate.scan(world.full()) == "cut_off"


def test_what_waits_is_said_above_the_page_and_gone_with_the_server(gate: GatePage) -> None:
    banner = gate.page.locator("#gate-banner")
    expect(banner).not_to_be_visible()
    gate.world.waits = "Minting waits."
    gate.page.reload()
    gate.with_scanner()
    expect(banner).to_contain_text("Minting waits.")
    gate.world.alive = False
    gate.page.reload()
    gate.with_scanner()
    expect(banner).not_to_be_visible()
    assert gate.scan(gate.world.full()) == "admit"


def test_seat_is_said_as_people_know_it_without_the_server_too(
    context: BrowserContext, site: str, world: GateWorld
) -> None:
    gate = GatePage.visit(context, site, world).set_up().with_scanner()
    assert gate.scan(world.full()) == "admit"
    assert "Row C, seat 12" in gate.verdict
    world.alive = False  # the name outlives the server
    gate.page.reload()
    gate.with_scanner()
    assert gate.scan(world.full()) == "already_used"
    assert "Row C, seat 12" in gate.verdict


def test_seat_without_a_name_is_a_number(context: BrowserContext, site: str, world: GateWorld) -> None:
    world.seats = ()
    gate = GatePage.visit(context, site, world).set_up().with_scanner()
    assert gate.scan(world.full()) == "admit"
    assert "Seat 12" in gate.verdict


# What a browser can refuse.


def test_without_a_camera_the_page_says_what_to_do(context: BrowserContext, site: str, world: GateWorld) -> None:
    gate = GatePage.visit(context, site, world).set_up().with_camera()
    expect(gate.page.locator("#gate-stage .trouble")).to_contain_text("Plug in a USB scanner")
    assert gate.scan(world.full()) == "admit"


def test_refused_camera_says_where_to_allow_it(context: BrowserContext, site: str, world: GateWorld) -> None:
    context.add_init_script(
        "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', 'NotAllowedError'))"
    )
    gate = GatePage.visit(context, site, world).set_up().with_camera()
    expect(gate.page.locator("#gate-stage .trouble")).to_contain_text("allow the camera")
    assert gate.scan(world.full()) == "admit"


def test_browser_that_stores_nothing_admits_nobody(context: BrowserContext, site: str, world: GateWorld) -> None:
    context.add_init_script("IDBFactory.prototype.open = () => { throw new DOMException('no', 'SecurityError') }")
    gate = GatePage.visit(context, site, world)
    expect(gate.page.locator("#gate-stage .trouble")).to_contain_text("Leave private mode")


def test_admission_that_cannot_be_written_is_not_green(gate: GatePage) -> None:
    fault = "throw new DOMException('full', 'QuotaExceededError')"
    gate.page.evaluate(f"() => {{ IDBObjectStore.prototype.add = () => {{ {fault} }} }}")
    assert gate.scan(gate.world.full()) == "not_recorded"
    gate.page.reload()
    gate.with_scanner()
    assert gate.scan(gate.world.full()) == "admit"  # it left no trace


def test_memory_cleared_under_the_page_stops_it(context: BrowserContext, gate: GatePage) -> None:
    session = context.new_cdp_session(gate.page)
    session.send("Storage.clearDataForOrigin", {"origin": gate.site, "storageTypes": "indexeddb"})
    expect(gate.page.locator("#gate-stage .trouble")).to_contain_text("Stop admitting here")


def test_plain_http_says_so_and_leaves_the_scanner(browser: Browser, site: str, world: GateWorld) -> None:
    with small_phone(browser) as context:
        address = under_plain_http(context, site)
        gate = GatePage.visit(context, address, world).set_up().with_camera()
        expect(gate.page.locator("#gate-stage .trouble")).to_contain_text("Open it by https")
        assert gate.scan(world.full()) == "admit"
        context.unroute_all(behavior="ignoreErrors")  # an answer under way when the page ends is nobody's
