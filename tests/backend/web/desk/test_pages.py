"""The desk's pages as forms are sent to them, without scripts."""

import io
import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from backend.wiring import Services
from tests.backend.desk.test_event_form import FORM
from tests.backend.web.test_incidents import posted
from tests.support.buyer import Buyer
from tests.support.desk import at_desk, post
from tests.support.forms import HTML
from tests.support.shop import EVENT, SeededSigner


@pytest.fixture
def owner(app: Flask, services: Services, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    monkeypatch.setattr(
        type(services.signer), "prepare_event", lambda _self, event: SeededSigner().prepare_event(event)
    )
    return at_desk(app, services, "owner")


def page(client: FlaskClient, path: str) -> str:
    answer = client.get(path, headers=HTML)
    assert answer.status_code == 200, answer.text
    return answer.text


def test_an_event_made_by_form_is_on_sale(owner: FlaskClient, app: Flask) -> None:
    answer = post(owner, "/desk/new", "/desk/new", **FORM)
    assert answer.headers["Location"] == "/desk/events/river-night"
    assert "On sale" in page(owner, "/desk/events/river-night")
    assert "Standing" in page(app.test_client(), "/events/river-night")
    assert "event:river-night" in page(owner, "/desk/audit")


def test_staff_read_on_every_page_of_the_desk_what_waits(owner: FlaskClient, services: Services) -> None:
    posted(services)
    for path in ("/desk", "/desk/orders", "/desk/events/gig", "/desk/account"):
        assert "Cards of one bank fail." in page(owner, path)
    assert "Cards of one bank fail." in page(owner.application.test_client(), "/desk/sign-in")
    chinese = owner.get("/desk", headers={**HTML, "Accept-Language": "zh"}).text
    assert "某银行的卡无法付款。" in chinese
    assert "See what works" not in chinese


def test_a_mistake_in_the_form_loses_nothing_that_was_written(owner: FlaskClient) -> None:
    answer = post(owner, "/desk/new", "/desk/new", **{**FORM, "class-1-price": "free"})
    assert answer.status_code == 409
    assert 'value="free" aria-invalid="true"' in answer.text
    assert "A &#34;River&#34; \\ Night 夜" in answer.text
    assert "A: 1-4; B: 1-2, 5" in answer.text


def test_an_uploaded_file_is_checked_as_the_command_does(owner: FlaskClient) -> None:
    text = EVENT.format(slug="from-file", floor=5, max_per_order=4, extra="", rows='{row = "A", seats = "1-3"}')
    answer = post(owner, "/desk/upload", "/desk/new", file=(io.BytesIO(text.encode()), "event.toml"))
    assert answer.headers["Location"] == "/desk/events/from-file"
    wrong = text.replace("currency", "curency")
    answer = post(owner, "/desk/upload", "/desk/new", file=(io.BytesIO(wrong.encode()), "event.toml"))
    assert answer.status_code == 409
    assert "currency" in answer.text


def test_a_large_file_is_taken_from_owners_and_other_large_forms_are_not(owner: FlaskClient) -> None:
    padded = (
        EVENT.format(slug="large", floor=5, max_per_order=4, extra="", rows='{row = "A", seats = "1-3"}')
        + "#" * 200_000
    )
    answer = post(owner, "/desk/upload", "/desk/new", file=(io.BytesIO(padded.encode()), "event.toml"))
    assert answer.headers["Location"] == "/desk/events/large"
    assert post(owner, "/desk/new", "/desk/new", **{**FORM, "name": "x" * 200_000}).status_code == 413


def test_the_form_saved_as_a_file_makes_the_same_event(owner: FlaskClient) -> None:
    answer = post(owner, "/desk/new", "/desk/new", **FORM, download="1")
    again = post(owner, "/desk/upload", "/desk/new", file=(io.BytesIO(answer.data), "event.toml"))
    assert again.headers["Location"] == "/desk/events/river-night"


def test_a_changed_file_changes_what_may_change_names_what_may_not_and_is_logged(
    owner: FlaskClient, app: Flask
) -> None:
    file = post(owner, "/desk/new", "/desk/new", **FORM, download="1").data
    post(owner, "/desk/upload", "/desk/new", file=(io.BytesIO(file), "event.toml"))

    def load(data: bytes) -> TestResponse:
        return post(owner, "/desk/upload", "/desk/new", file=(io.BytesIO(data), "event.toml"))

    assert load(file.replace(b'venue = "', b'venue = "Grand ')).status_code == 303
    assert "Grand " in page(app.test_client(), "/events/river-night")
    assert "changed an event" in page(owner, "/desk/audit")
    wrong = load(file.replace(b"EUR", b"USD"))
    assert wrong.status_code == 409
    assert "currency of this file is another" in wrong.text
    assert "Nothing was changed" in wrong.text


def test_what_may_change_is_changed_and_seen_by_buyers(owner: FlaskClient, app: Flask) -> None:
    fields = {"name": "Gig <b>new</b>", "venue": "Other hall", "hold_minutes": "5", "max_per_order": "3"}
    assert post(owner, "/desk/events/gig/edit", "/desk/events/gig/edit", **fields).status_code == 303
    shop = page(app.test_client(), "/events/gig")
    assert "Gig &lt;b&gt;new&lt;/b&gt;" in shop
    assert "Other hall" in shop
    wrong = post(owner, "/desk/events/gig/edit", "/desk/events/gig/edit", **{**fields, "max_per_order": "0"})
    assert wrong.status_code == 409


def test_rules_that_buyers_know_become_no_harder_and_the_refusal_stands_at_its_field(
    owner: FlaskClient, app: Flask
) -> None:
    form = "/desk/events/gig/edit"
    fields = {"name": "Gig", "venue": "Hall", "hold_minutes": "10", "max_per_order": "8"}
    rules = {"refunds-self_service": "1", "refunds-until": "2030-06-10T12:00", "refunds-keep_percent": "10"}
    assert post(owner, form, form, **fields, **rules).status_code == 303
    Buyer(app.test_client()).bought()
    wrong = post(owner, form, form, **fields, **{**rules, "refunds-keep_percent": "11"})
    assert wrong.status_code == 409
    assert re.search(r'id="refunds-keep_percent"[^>]*value="11" aria-invalid="true"', wrong.text)
    assert "Nothing was changed" in wrong.text
    taken = post(owner, form, form, **fields, **{"refunds-keep_percent": "10"})
    assert "taken from them" in taken.text
    late = post(owner, form, form, **fields, sale_starts="2030-06-01T12:00")
    assert "The sale has begun" in late.text
    assert post(owner, form, form, **fields, **{**rules, "refunds-keep_percent": "0"}).status_code == 303
    assert 'value="0"' in page(owner, form)


def test_prices_and_numbers_are_changed_by_the_form_and_what_is_wrong_is_said_at_its_field(
    owner: FlaskClient, app: Flask
) -> None:
    form = "/desk/events/gig/edit"
    assert post(owner, "/desk/events/gig/classes", form, **{"price-1": "1.50", "capacity-1": "7"}).status_code == 303
    assert "1.50" in page(app.test_client(), "/events/gig")
    wrong = post(owner, "/desk/events/gig/classes", form, **{"price-1": "1.50", "capacity-1": "1000000"})
    assert wrong.status_code == 409
    assert re.search(r'id="capacity-1"[^>]*value="1000000" aria-invalid="true"', wrong.text)
    assert "changed prices or numbers of tickets" in page(owner, "/desk/audit")


def test_a_paused_event_sells_nothing_until_it_is_resumed(owner: FlaskClient, app: Flask) -> None:
    buyer = Buyer(app.test_client())
    assert post(owner, "/desk/events/gig/pause", "/desk/events/gig").status_code == 303
    assert buyer.order().status_code == 409
    assert post(owner, "/desk/events/gig/resume", "/desk/events/gig").status_code == 303
    assert buyer.order().status_code == 201


def test_an_order_is_found_by_whatever_the_buyer_has(owner: FlaskClient, buyer: Buyer) -> None:
    held = buyer.held({"class": "balcony", "quantity": 1, "seats": ["A-3"]})
    ticket = buyer.pay(held).get_json()["tickets"][0]["ticket_id"]
    receipt = f"truestub-receipt-1 http://localhost {held['order_id']} {held['order_secret']}"
    for wanted in (held["order_id"], ticket, receipt, "A-3", f"  {held['order_id'].upper()} "):
        answer = post(owner, "/desk/orders", "/desk/orders", wanted=wanted)
        assert answer.headers["Location"] == f"/desk/orders/{held['order_id']}", wanted
    assert held["order_id"] in page(owner, f"/desk/orders/{held['order_id']}")
    assert "Nothing was found" in post(owner, "/desk/orders", "/desk/orders", wanted="A-99' OR 1=1 --").text


def test_attendees_and_their_export_are_written_down(owner: FlaskClient, buyer: Buyer) -> None:
    buyer.pay(buyer.held({"class": "balcony", "quantity": 1, "seats": ["A-3"]}))
    assert "A-3" in page(owner, "/desk/events/gig/attendees")
    answer = post(owner, "/desk/events/gig/attendees.csv", "/desk/events/gig/attendees")
    assert answer.mimetype == "text/csv"
    assert "A-3" in answer.text
    assert "exported the attendees" in page(owner, "/desk/audit")


def test_figures_are_a_table_for_whoever_has_no_scripts(owner: FlaskClient, buyer: Buyer) -> None:
    buyer.pay(buyer.held({"class": "floor", "quantity": 4}))
    text = page(owner, "/desk/events/gig/figures")
    assert re.search(r"<dt>Sold</dt><dd>4</dd>", text)
    assert 'data-count="4"' in text
    assert page(owner, "/desk/events/gig/figures/now") in text


@pytest.mark.parametrize(
    "path",
    ["/desk", "/desk/new", "/desk/events/gig", "/desk/events/gig/edit", "/desk/orders", "/desk/people", "/desk/audit"],
)
def test_no_page_of_the_desk_is_kept_framed_or_runs_inline_code(owner: FlaskClient, path: str) -> None:
    answer = owner.get(path, headers=HTML)
    assert answer.headers["Cache-Control"] == "no-store"
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=", answer.text)
