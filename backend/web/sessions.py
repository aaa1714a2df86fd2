"""Flask's sessions, for pages only in effect: a request without a cookie that touches no session pays for none.

Making the signer for a session and asking for its cookie's eight settings cost more than a tenth of an API request.
"""

from flask import Flask, Request, Response
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionMixin


class ThriftySessions(SecureCookieSessionInterface):
    """The signed cookie sessions of Flask, opened and saved where there is something to open or to save."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        if "HTTP_COOKIE" not in request.environ:
            return self.session_class()
        return super().open_session(app, request)

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        if session.accessed or session:
            super().save_session(app, session, response)
