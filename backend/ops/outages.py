"""What we know of the chain's troubles, from database rows only: no request handler waits for a node."""

from sqlalchemy import Connection, select

from backend.db.tables.chain import Diagnosis


def open_diagnoses(connection: Connection) -> list[Diagnosis]:
    """Troubles that are not over, the newest last. Rows of `chain_diagnoses`."""
    query = select(Diagnosis).where(Diagnosis.closed_ms.is_(None)).order_by(Diagnosis.opened_ms)
    return list(connection.execute(query).all())  # type: ignore[arg-type]


def node_away_since_ms(connection: Connection) -> int | None:
    """Since when no chain node that we can use answers; none if one does, as far as we know."""
    query = (
        select(Diagnosis.opened_ms)
        .where(Diagnosis.closed_ms.is_(None), Diagnosis.kind.in_(("unreachable", "wiped")))
        .order_by(Diagnosis.opened_ms)
        .limit(1)
    )
    since: int | None = connection.execute(query).scalar_one_or_none()
    return since
