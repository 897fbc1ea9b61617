"""Alembic's entry: runs the migrations on the connection that `worker.jobs.engine.migrate` hands over."""

from __future__ import annotations

from alembic import context

from worker.jobs.schema import metadata

if hasattr(context, "config"):  # only within a run of Alembic
    context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
    context.run_migrations()
