"""Send a mail by SMTP (RFC 5321), encrypted where the server can, always where a password is sent."""

import smtplib
import socket
import ssl
from email.message import EmailMessage
from functools import cache
from urllib.parse import unquote, urlsplit

from backend.notices.letters import Letter

SECONDS = 10.0  # for each answer of the server


def send(smtp_url: str, sender: str, to: str, letter: Letter, message_id: str, stop_url: str | None) -> None:
    """Hand one letter to the server; raises `OSError` or `smtplib.SMTPException` (an `OSError`) if it can't be.

    `message_id` is the same at every attempt, so that a letter accepted twice is shown once. `stop_url` unsubscribes
    with one click (RFC 8058).
    """
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, to, letter.subject
    message["Message-ID"] = f"<{message_id}@{sender.rpartition('@')[2].rstrip('>') or 'localhost'}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday notes back
    if stop_url is not None:
        message["List-Unsubscribe"] = f"<{stop_url}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content(letter.text)
    with _server(smtp_url) as server:
        server.send_message(message)


def _server(smtp_url: str) -> smtplib.SMTP:
    parts = urlsplit(smtp_url)
    host, context = parts.hostname or "", _trust()
    if parts.scheme == "smtps":
        server: smtplib.SMTP = smtplib.SMTP_SSL(host, parts.port or 465, _own_name(), timeout=SECONDS, context=context)
    else:
        server = smtplib.SMTP(host, parts.port or 25, _own_name(), timeout=SECONDS)
        server.ehlo()
        if server.has_extn("starttls"):
            server.starttls(context=context)
        elif parts.username:
            server.close()
            raise smtplib.SMTPNotSupportedError("the server offers no STARTTLS: a password is not sent in clear")
    if parts.username:
        server.login(unquote(parts.username), unquote(parts.password or ""))
    return server


@cache
def _trust() -> ssl.SSLContext:
    """Made once: reading the system's certificates takes longer than a letter."""
    return ssl.create_default_context()


@cache
def _own_name() -> str:
    """Looked up once: what the server is greeted with (RFC 5321, section 4.1.1.1)."""
    return socket.getfqdn()
