"""A Stripe of our own for tests: localstripe as a real process on a free port of loopback (localstripe_server.py)."""

import hashlib
import hmac
import json
import subprocess
import sys
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

import urllib3

KEY = "sk_test_12345"
WEBHOOK_SECRET = "whsec_a_test_secret"
CARD, DECLINED_CARD = "pm_card_visa", "pm_card_chargeCustomerFail"


@dataclass
class LocalStripe:
    """The process. What is done here is what a buyer does at Stripe's page, or what Stripe does by itself."""

    url: str = ""
    _process: subprocess.Popen[str] | None = field(default=None, repr=False)

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "tests.support.localstripe_server"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout
        self.url = json.loads(self._process.stdout.readline())["url"]
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        assert self._process
        self._process.terminate()
        self._process.wait(10)
        assert self._process.stdout
        self._process.stdout.close()

    def pay(self, pay_at: str, card: str = CARD) -> tuple[int, str | None]:
        """The buyer pays: status, and where they are sent back to."""
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = urllib3.request("POST", pay_at, body=f"method={card}", headers=form, redirect=False, retries=False)
        return answer.status, answer.headers.get("Location")

    def fail_next(self, path: str, kind: str, method: str = "POST", **more: Any) -> None:
        """The next request whose path has `path` in it: `refuse` it, or `drip` or `500` after it took effect."""
        self._config("faults", [{"path": path, "kind": kind, "method": method, **more}])

    def send_webhooks_to(self, url: str) -> None:
        self._config("webhooks/ours", {"url": url, "secret": WEBHOOK_SECRET, "events": ["checkout.session.completed"]})

    def list(self, what: str) -> list[dict[str, Any]]:
        """Everything of a kind that it has, such as `refunds`."""
        answer = urllib3.request(
            "GET", f"{self.url}/v1/{what}?limit=100", headers={"Authorization": f"Bearer {KEY}"}, retries=False
        )
        found: list[dict[str, Any]] = answer.json()["data"]
        return found

    def dispute(self, payment_id: str, amount: int, *moves: int, created: float | None = None) -> str:
        """A bank opens a dispute of a payment of ours, and says nothing; its name.

        `moves`: what the account's book has of it in minor units, taken (< 0) and given back (> 0).
        """
        intents = self.list("payment_intents")
        mine = next(one["id"] for one in intents if one["metadata"].get("payment_id") == payment_id)
        at = int(time.time() if created is None else created)
        about = {"payment_intent": mine, "amount": amount, "moves": moves, "created": at}
        answer = urllib3.request("POST", f"{self.url}/_config/disputes", json=about, retries=False)
        name: str = answer.json()["id"]
        return name

    def foreign_intent(self, metadata: dict[str, str]) -> str:
        """A PaymentIntent that the shop did not make; its id."""
        about = {"amount": "1", "currency": "eur", **{f"metadata[{name}]": value for name, value in metadata.items()}}
        answer = urllib3.request(
            "POST",
            f"{self.url}/v1/payment_intents",
            body=urlencode(about),
            headers={"Authorization": f"Bearer {KEY}", "Content-Type": "application/x-www-form-urlencoded"},
            retries=False,
        )
        made: str = answer.json()["id"]
        return made

    def _config(self, what: str, told: Any) -> None:
        assert urllib3.request("POST", f"{self.url}/_config/{what}", json=told, retries=False).status == 200


def event(kind: str, about: dict[str, Any], *, live: bool = False) -> bytes:
    """A webhook's body as Stripe sends it (docs.stripe.com/api/events/object)."""
    told = {"id": "evt_1", "object": "event", "type": kind, "livemode": live, "data": {"object": about}}
    return json.dumps(told, indent=2).encode()


def signed(body: bytes, at: float | None = None, secret: str = WEBHOOK_SECRET) -> dict[str, str]:
    """The header that Stripe signs a body with (docs.stripe.com/webhooks, "verify manually")."""
    moment = int(time.time() if at is None else at)
    mac = hmac.new(secret.encode(), b"%d." % moment + body, hashlib.sha256).hexdigest()
    return {"Stripe-Signature": f"t={moment},v1={mac}"}
