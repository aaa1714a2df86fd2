"""A shop on SQLite for a whole module of tests that only knock at its doors."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from backend.db.engine import make_engine
from backend.db.migrate import upgrade
from backend.settings import settings_from
from backend.wiring import Services, wire
from tests.support.patience import patient
from tests.support.shop import put_on_sale


@contextmanager
def embedded_shop(folder: Path, floor: int) -> Iterator[Services]:
    """Everything wired, with the event `gig` on sale."""
    url = f"sqlite:///{folder}/truestub.sqlite"
    engine = make_engine(url)
    upgrade(engine)
    engine.dispose()
    settings = settings_from({"TRUESTUB_DATA_DIR": str(folder / "data"), "TRUESTUB_DATABASE_URL": url})
    made = patient(wire(settings))
    put_on_sale(made.engine, floor=floor)
    yield made
    made.close()
