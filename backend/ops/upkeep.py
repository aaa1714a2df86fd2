"""Book how a backup or a drill went in the installation's database, for doctor, metrics and alerts."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError

from backend.db.engine import is_missing, make_engine
from backend.db.failures import failure_of
from backend.db.migrate import is_current
from backend.db.tables.upkeep import BACKUP, DRILL, book_upkeep
from backend.errors import Refused
from backend.i18n import gettext as _
from backend.settings import Settings

# What is older than this was forgotten; docs/operating/alerts.yml has the same.
OLD_HOURS = {BACKUP: 26, DRILL: 8 * 24}


@contextmanager
def booked(settings: Settings, name: str, say: Callable[[str], None]) -> Iterator[list[str]]:
    """Run what is inside and book how it went. It adds problems to the list; an exception is one too, and goes on."""
    problems: list[str] = []
    try:
        yield problems
    except BaseException as error:
        problems.append(error.refusal.sentence if isinstance(error, Refused) else _words(error))
        raise
    finally:
        if not _book(settings, name, problems[0] if problems else None):
            say(_("This is not booked: no installation's database answers at TRUESTUB_DATABASE_URL."))


def _words(error: BaseException) -> str:
    if isinstance(error, DBAPIError):
        return str(error.orig)
    return (error.strerror if isinstance(error, OSError) else None) or type(error).__name__


def _book(settings: Settings, name: str, problem: str | None) -> bool:
    if is_missing(settings.database_url):
        return False
    engine = make_engine(settings.database_url)
    try:
        if not is_current(engine):
            return False
        with engine.begin() as connection:
            book_upkeep(connection, name, problem)
    except Exception as error:
        if failure_of(error) is None:
            raise
        return False
    finally:
        engine.dispose()
    return True
