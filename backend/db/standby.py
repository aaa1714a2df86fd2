"""Whether commits wait for a synchronous standby that does not confirm (PostgreSQL documentation, 27.2.8).

Such a commit must not be cancelled: it would count as done without being safe. It can be seen, though: its backend says
what it waits for.
"""

from sqlalchemy import Connection, text

_WAITING = text(
    "SELECT CAST(extract(epoch FROM min(query_start)) * 1000 AS bigint) FROM pg_stat_activity "
    "WHERE wait_event = 'SyncRep' AND datname = current_database()"
)


def commit_waits_since_ms(connection: Connection) -> int | None:
    """Since when the oldest commit waits for the standby, in Unix milliseconds; none if none does."""
    if connection.dialect.name != "postgresql":
        return None
    since: int | None = connection.execute(_WAITING).scalar_one()
    return since
