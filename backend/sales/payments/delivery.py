"""The sandbox bank's post: hands its notifications to the platform's own address, as a bank would. Development only."""

import logging

import urllib3

from backend.sales.payments.sandbox import Sandbox

NOTIFY_PATH = "/payments/sandbox/notify"
TIMEOUT_SECONDS = 3.0

_log = logging.getLogger(__name__)


def deliver(bank: Sandbox, public_url: str, now: float) -> int:
    """Post what is due; what is not answered with 2xx stays due. How many arrived."""
    arrived = 0
    for letter in bank.due(now):
        try:
            answer = urllib3.request(
                "POST",
                public_url + NOTIFY_PATH,
                body=letter.body,
                headers={**letter.headers, "Content-Type": "application/json"},
                timeout=TIMEOUT_SECONDS,
                retries=False,
            )
        except urllib3.exceptions.HTTPError as error:
            _log.info("notification %d did not arrive: %s", letter.id, type(error).__name__)
            continue
        if 200 <= answer.status < 300:
            bank.delivered(letter)
            arrived += 1
    return arrived
