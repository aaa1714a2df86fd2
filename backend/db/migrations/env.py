"""Alembic's entry: runs migrations on the connection that `backend.db.migrate` hands over."""

from alembic import context

from backend.db import buyers, chain_money, desk, drains, models, payments, privacy, restores

TABLES = (models, buyers, chain_money, desk, drains, payments, privacy, restores)  # what describes the schema

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=models.Base.metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
