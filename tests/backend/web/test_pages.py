"""The ground of the pages: headers, languages, cookies, streams. What a reader sees is tested in tests/pages."""

import re
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from backend.app import create_app
from backend.db.tables.events import Event
from backend.sales.calling_off import Times, cancel_event, postpone_event
from backend.web.language import choose, formats_for
from backend.web.pages import live
from backend.wiring import Services

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}

DAY_MS = 86_400_000


def token_of(page: str) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert found is not None
    return found[1]


def hold(client: FlaskClient, **choice: object) -> str:
    """The address of an order, bought by form."""
    page = client.get("/events/gig", headers=HTML).text
    fields = {"csrf_token": token_of(page), "form": "one-page", "quantity-floor": "1", **choice}
    answer = client.post("/events/gig", data=fields, headers=HTML)
    assert answer.status_code == 303, answer.text
    return answer.headers["Location"]


@pytest.mark.parametrize("path", ["/", "/events/gig", "/orders", "/status", "/nowhere"])
def test_no_page_allows_inline_script_or_style_or_anything_from_elsewhere(client: FlaskClient, path: str) -> None:
    answer = client.get(path, headers=HTML)
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=", answer.text)
    assert "://" not in re.sub(r"https?://localhost", "", answer.text)


@pytest.mark.parametrize("path", ["/nowhere", "/events/none", f"/orders/{UUID(int=0)}"])
def test_browsers_get_pages_and_programs_get_problems(client: FlaskClient, path: str) -> None:
    page = client.get(path, headers=HTML)
    problem = client.get(path, headers={"Accept": "application/json"})
    assert (page.mimetype, problem.mimetype) == ("text/html", "application/problem+json")
    assert page.status_code == problem.status_code >= 400
    assert "/orders" in page.text


def test_a_hidden_fault_shows_no_trace(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_arguments: object, **_named: object) -> None:
        raise RuntimeError("a secret of the machine")

    monkeypatch.setattr("backend.web.pages.shop.list_events", broken)
    answer = client.get("/", headers=HTML)
    assert answer.status_code == 500
    assert "a secret of the machine" not in answer.text
    assert "What still works" in answer.text


@pytest.mark.parametrize("target", ["https://evil.example", "//evil.example", "/\\evil.example", "evil", "/a\nb"])
def test_the_language_link_leads_to_no_other_site(client: FlaskClient, target: str) -> None:
    answer = client.get("/language/zh", query_string={"next": target})
    assert answer.headers["Location"] == "/"


def test_words_follow_the_cookie_then_the_browser_and_formats_its_region() -> None:
    assert choose("zh", ["en-GB"]) == "zh"
    assert choose("xx", ["fr", "zh-TW", "en"]) == "zh"
    assert choose(None, []) == "en"
    assert formats_for("en", ["zh-CN", "en-GB"]) == "en_GB"
    assert formats_for("zh", ["zh-TW"]) == "zh_Hans_CN"
    assert formats_for("en", ["en-" + "x" * 300, "*"]) == "en"


def test_a_form_without_its_token_buys_nothing(client: FlaskClient) -> None:
    client.get("/events/gig", headers=HTML)
    answer = client.post("/events/gig", data={"form": "a", "quantity-floor": "1"}, headers=HTML)
    assert answer.status_code == 400
    assert not [one for one in answer.headers.getlist("Set-Cookie") if one.startswith("order-")]


def test_an_altered_order_cookie_opens_nothing(client: FlaskClient) -> None:
    order = hold(client)
    name = f"order-{UUID(order.rpartition('/')[2]).hex}"
    cookie = client.get_cookie(name)
    assert cookie is not None
    assert cookie.http_only
    assert cookie.same_site == "Lax"
    assert client.get(order, headers=HTML).status_code == 200
    client.set_cookie(name, cookie.value[:-1] + ("A" if cookie.value[-1] != "A" else "Q"))
    assert client.get(order, headers=HTML).status_code == 403


def test_one_orders_cookie_opens_no_other(client: FlaskClient) -> None:
    first, second = hold(client, form="a"), hold(client, form="b")
    names = [f"order-{UUID(one.rpartition('/')[2]).hex}" for one in (first, second)]
    mine = client.get_cookie(names[0])
    assert mine is not None
    client.set_cookie(names[1], mine.value)
    assert client.get(second, headers=HTML).status_code == 403


def test_another_choice_on_the_same_page_replaces_the_hold(client: FlaskClient) -> None:
    first = hold(client)
    second = hold(client, **{"quantity-floor": "3"})
    assert "Given back" in client.get(first, headers=HTML).text
    assert "Almost yours" in client.get(second, headers=HTML).text


def test_seats_of_ones_own_choice_are_held(client: FlaskClient) -> None:
    order = hold(client, **{"quantity-floor": "0", "seat-balcony": ["A-2", "B-7"]})
    assert "A-2, B-7" in client.get(order, headers=HTML).text


def test_the_wallet_is_handed_paid_orders_and_other_sites_none(client: FlaskClient) -> None:
    order = hold(client)
    assert client.get("/wallet/orders").get_json() == {"orders": []}
    page = client.get(order, headers=HTML).text
    client.post(
        f"{order}/pay",
        data={"csrf_token": token_of(page), "form": "pay", "method": "sandbox", "token": "approve"},
        headers=HTML,
    )
    (told,) = client.get("/wallet/orders").get_json()["orders"]
    assert told["order_id"] == order.rpartition("/")[2]
    assert client.get("/wallet/orders", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403


def test_streams_are_bounded_and_a_closed_one_frees_its_line(client: FlaskClient, services: Services) -> None:
    order = hold(client)
    opened = [client.get(f"{order}/stream", buffered=False) for _ in range(live.MAX_STREAMS)]
    assert {one.status_code for one in opened} == {200}
    assert client.get(f"{order}/stream").status_code == 204
    opened.pop().close()
    again = client.get(f"{order}/stream", buffered=False)
    assert again.status_code == 200
    for one in (*opened, again):
        one.close()


def test_the_live_part_is_sent_again_only_when_it_changed(client: FlaskClient) -> None:
    order = hold(client)
    first = client.get(f"{order}/progress")
    assert client.get(f"{order}/progress", headers={"If-None-Match": first.headers["ETag"]}).status_code == 304


def test_a_moved_event_says_so_to_everybody_and_an_order_to_who_had_bought_before(
    client: FlaskClient, services: Services
) -> None:
    def bought(browser: FlaskClient, form: str) -> str:
        order = hold(browser, form=form)
        page = browser.get(order, headers=HTML).text
        fields = {"csrf_token": token_of(page), "form": form, "method": "sandbox", "token": "approve"}
        assert browser.post(f"{order}/pay", data=fields, headers=HTML).status_code == 303
        return order

    def move(days: int) -> None:
        with services.engine.connect() as connection:
            row = connection.execute(select(Event)).one()
        times = (one + days * DAY_MS for one in (row.doors_ms, row.starts_ms, row.ends_ms, row.freeze_ms))
        postpone_event(services.engine, "gig", Times(*times), None)

    early, late = client, create_app(services).test_client()
    order = bought(early, "early")
    move(0)  # other doors, or nothing at all, is no other time
    assert "another time" not in early.get("/events/gig", headers=HTML).text
    assert "another time" not in early.get(order, headers=HTML).text
    was = early.get("/api/v1/events/gig").get_json()
    assert (was["moved_from"], was["moved_at"]) == (None, None)
    move(30)
    now = early.get("/api/v1/events/gig").get_json()
    assert (now["moved_from"], now["starts_at"] > was["starts_at"]) == (was["starts_at"], True)
    page = early.get(order, headers=HTML).text
    for moment in (now["starts_at"], was["starts_at"]):
        assert f'<time datetime="{moment}">' in page
    assert f'href="{order}/refund">If you can' in page
    assert f'<time datetime="{was["starts_at"]}">' in late.get("/events/gig", headers=HTML).text
    assert "another time" not in late.get(bought(late, "late"), headers=HTML).text
    cancel_event(services.engine, "gig")
    assert "another time" not in early.get(order, headers=HTML).text
