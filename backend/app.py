"""The web application: `create_app(services)` for tests and tools, `create_app_from_environment()` for a server."""

import os

from apiflask import APIFlask

from backend.ops.supervise import die_with_parent
from backend.settings import Settings, settings_from
from backend.web.problems import install_problems
from backend.wiring import Services, wire


def create_app(wiring: Settings | Services) -> APIFlask:
    """The application, wired by settings or by services made already."""
    services = wiring if isinstance(wiring, Services) else wire(wiring)
    app = APIFlask("truestub", title="Truestub", version="1", docs_path=None)
    app.extensions["truestub"] = services
    install_problems(app)

    @app.get("/healthz")
    @app.doc(hide=True)
    def healthz() -> dict[str, str]:
        """Whether this process answers; says nothing of the database or the chain, which /status does."""
        return {"status": "ok"}

    return app


def create_app_from_environment() -> APIFlask:
    """For a server's worker process: reads TRUESTUB_* and ends when the server does."""
    die_with_parent()
    return create_app(settings_from(os.environ))
