"""Alembic's entry: runs migrations on the connection that `backend.db.migrate` hands over."""

from alembic import context

from backend.db import buyers, chain_money, classes, desk, drains, models, moves, payments, privacy, restores, upkeep

# What describes the schema.
TABLES = (models, buyers, chain_money, classes, desk, drains, moves, payments, privacy, restores, upkeep)

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=models.Base.metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
