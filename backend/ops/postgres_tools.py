"""PostgreSQL's own tools, run on a database of ours, and a database that is there for as long as it is needed."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlencode

from sqlalchemy import func, select
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ProgrammingError

from backend.db.engine import make_engine
from backend.errors import refuse
from backend.i18n import gettext as _

TOOL_SECONDS = 3600  # for pg_dump, pg_restore and psql
SCRATCH_DATABASE = "truestub_scratch"
_ONE_AT_A_TIME = 0x7472_7565  # an advisory lock; a session's end frees it, however it ends


def run_tool(database_url: str | None, tool: str, *arguments: str) -> None:
    """Run a PostgreSQL tool, on a database if one is named. A password goes by the environment: `ps` shows none."""
    program = shutil.which(tool) or str(next(_installed(tool), tool))
    command, environ = [program, *arguments], dict(os.environ)
    if database_url is not None:
        url = make_url(database_url)
        command.append(f"--dbname={libpq_url(url)}")
        environ |= {"PGPASSWORD": str(url.password)} if url.password else {}
    try:
        done = subprocess.run(  # noqa: S603 - PostgreSQL's own tools
            command, env=environ, capture_output=True, text=True, timeout=TOOL_SECONDS, check=False
        )
    except FileNotFoundError as error:
        sentence = _("%s is not installed; it comes with PostgreSQL's client.") % tool
        raise refuse("tool_missing", sentence) from error
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["?"]
        raise refuse("dump_failed", _("%(tool)s failed: %(error)s") % {"tool": tool, "error": lines[-1]})


def libpq_url(url: URL) -> str:
    """As PostgreSQL's own tools want it, without a password: several hosts stand before the path, with commas."""
    plain = url.set(drivername="postgresql")._replace(password=None)  # `set` takes none for "leave it"
    hosts = plain.query.get("host")
    if not isinstance(hosts, tuple):
        return plain.render_as_string()
    user = f"{quote(plain.username, safe='')}@" if plain.username else ""
    rest = {name: str(value) for name, value in plain.query.items() if name != "host"}
    return f"postgresql://{user}{','.join(hosts)}/{plain.database or ''}" + (f"?{urlencode(rest)}" if rest else "")


@contextmanager
def scratch_database(server_url: str) -> Iterator[str]:
    """The address of a new, empty database beside the one that `server_url` names, which itself is left alone.

    It is dropped in the end. What a killed process left is dropped by the next one.
    """
    engine = make_engine(server_url)
    drop = f"DROP DATABASE IF EXISTS {SCRATCH_DATABASE} WITH (FORCE)"  # ends sessions of tools that outlived us
    try:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            if not connection.scalar(select(func.pg_try_advisory_lock(_ONE_AT_A_TIME))):
                raise refuse("runs_already", _("Another drill uses this PostgreSQL; let it end first."))
            try:
                connection.exec_driver_sql(drop)
                connection.exec_driver_sql(f"CREATE DATABASE {SCRATCH_DATABASE} TEMPLATE template0")
            except ProgrammingError as error:
                sentence = _("The user of --scratch can't make a database there; ALTER ROLE ... CREATEDB lets it: %s")
                raise refuse("scratch_refused", sentence % error.orig) from error
            try:
                yield make_url(server_url).set(database=SCRATCH_DATABASE).render_as_string(hide_password=False)
            finally:
                connection.exec_driver_sql(drop)
    finally:
        engine.dispose()


def _installed(program: str) -> Iterator[Path]:
    yield from sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"), reverse=True)
