"""Write a migration from the difference between the models and a freshly migrated database.

.venv/bin/python tools/new-migration.py 0002 "what changes"
"""

import sys

from alembic import command

from backend.db.engine import make_engine
from backend.db.migrate import _config, upgrade


def main(number: str, message: str) -> None:
    engine = make_engine("sqlite://")
    upgrade(engine)
    with engine.begin() as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.revision(config, message=message, autogenerate=True, rev_id=number)


if __name__ == "__main__":
    main(*sys.argv[1:])
