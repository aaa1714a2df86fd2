"""Codes, gifts and new times from the desk, as forms are sent."""

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from backend.wiring import Services
from tests.support.buyer import Buyer, problem
from tests.support.desk import at_desk, post
from tests.support.forms import HTML

CODES, MOVE = "/desk/events/gig/codes", "/desk/events/gig/postpone"
WISH = {"label": "Fan <b>club</b>", "percent_off": "25", "count": "3", "uses": "1"}
TIMES = {"doors": "2031-05-01T18:00", "starts": "2031-05-01T20:00", "ends": "2031-05-01T23:00", "freeze": ""}


@pytest.fixture
def owner(app: Flask, services: Services) -> FlaskClient:
    return at_desk(app, services, "owner")


def made(owner: FlaskClient, **wish: str) -> list[str]:
    answer = post(owner, CODES, CODES, **{**WISH, **wish})
    assert answer.status_code == 200, answer.text
    shown = re.search(r'<textarea id="made"[^>]*>([^<]*)<', answer.text)
    assert shown is not None
    return shown[1].split()


def without_tokens(page: str) -> str:
    """The page but for what is new in every second of it."""
    return re.sub(r'name="csrf_token" value="[^"]+"', "", page)


def text(client: FlaskClient, path: str) -> str:
    return client.get(path, headers=HTML).text


def test_codes_made_at_the_desk_take_their_share_off_and_are_shown_once(owner: FlaskClient, buyer: Buyer) -> None:
    codes = made(owner)
    assert len(set(codes)) == 3
    assert buyer.held({"class": "floor", "quantity": 2}, code=codes[0])["total_minor"] == 2 * 3712
    listed = text(owner, CODES)
    assert not any(one in listed for one in codes)
    assert "<dt>Used</dt><dd>1 / 3</dd>" in listed
    assert "· 25 percent off" in listed
    assert "Fan &lt;b&gt;club&lt;/b&gt;" in listed
    assert "made codes" in text(owner, "/desk/audit")


def test_the_same_form_sent_twice_makes_its_codes_once(owner: FlaskClient) -> None:
    """A double click, or a reload when the answer was lost: the codes are seen again, and there are no more of them."""
    first = made(owner, form="a-form-as-it-was-given-out")
    assert made(owner, form="a-form-as-it-was-given-out") == first
    assert text(owner, CODES).count("<dt>Codes</dt><dd>3</dd>") == 1
    assert set(made(owner, form="another-form")).isdisjoint(first)
    assert set(made(owner, form="a-form-as-it-was-given-out", label="Others")).isdisjoint(first)


def test_a_withdrawn_code_is_taken_by_no_new_order(owner: FlaskClient, buyer: Buyer) -> None:
    codes = made(owner)
    held = buyer.held({"class": "floor", "quantity": 1}, code=codes[0])
    found = re.search(r'name="made" value="(\d+)"', text(owner, CODES))
    assert found is not None
    assert post(owner, f"{CODES}/withdraw", CODES, made=found[1]).status_code == 303
    refused = buyer.order({"class": "floor", "quantity": 1}, code=codes[1])
    assert problem(refused)[1] == "code_expired"
    assert buyer.pay(held).status_code == 200, "what was promised before stays"
    post(owner, f"{CODES}/withdraw", CODES, made=found[1])
    assert "ended already" in text(owner, CODES)
    assert "withdrew codes" in text(owner, "/desk/audit")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("label", ""),
        ("label", "x" * 81),
        ("percent_off", "101"),
        ("percent_off", "-1"),
        ("percent_off", "1e2"),
        ("percent_off", "nan"),
        ("count", "0"),
        ("count", "10001"),
        ("count", "٣"),
        ("uses", "0"),
        ("until", "tomorrow"),
        ("until", "99999-01-01T00:00"),
        ("text", "abc"),
        ("class", "no-such-kind"),
    ],
)
def test_a_bad_wish_for_codes_makes_none_and_loses_nothing(owner: FlaskClient, key: str, value: str) -> None:
    answer = post(owner, CODES, CODES, **{**WISH, key: value})
    assert answer.status_code == 409
    assert "Nothing was changed" in answer.text
    assert "Fan &lt;b&gt;club" in answer.text or key == "label"
    assert "Nothing yet" in answer.text


def test_tickets_are_given_away_once_however_often_the_form_is_sent(owner: FlaskClient) -> None:
    fields = {"class": "floor", "quantity": "2", "form": "the-form"}
    for _twice in range(2):
        answer = post(owner, f"{CODES}/give", CODES, **fields)
        assert answer.status_code == 200, answer.text
        assert "2 tickets" in answer.text
    assert re.search(r"<dt>Sold</dt><dd>2</dd>", text(owner, "/desk/events/gig/figures"))
    for wrong in ("0", "51", "x"):
        assert post(owner, f"{CODES}/give", CODES, **{**fields, "quantity": wrong}).status_code == 303


def test_a_moved_event_shows_its_new_times_at_the_venue_and_gives_the_whole_price_back(
    owner: FlaskClient, app: Flask, buyer: Buyer
) -> None:
    order = buyer.held({"class": "floor", "quantity": 1})
    assert buyer.pay(order).status_code == 200
    assert post(owner, MOVE, MOVE, **TIMES).status_code == 303
    assert "2031" in text(app.test_client(), "/events/gig")
    assert 'value="2031-05-01T20:00"' in text(owner, MOVE)
    assert "2031-05-01T18:00" in text(owner, MOVE)
    assert "moved an event" in text(owner, "/desk/audit")


@pytest.mark.parametrize(
    "wrong",
    [{"doors": ""}, {"doors": "2001-05-01T18:00"}, {"ends": "2031-05-01T19:00"}, {"starts": "never"}],
)
def test_times_that_cant_be_move_nothing(owner: FlaskClient, wrong: dict[str, str]) -> None:
    before = without_tokens(text(owner, "/desk/events/gig"))
    answer = post(owner, MOVE, MOVE, **{**TIMES, **wrong})
    assert answer.status_code == 409
    assert "Nothing was changed" in answer.text
    assert without_tokens(text(owner, "/desk/events/gig")) == before
