"""Which job an entry of the log came of, so that whoever asked for it finds it; no part of the entry."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("log_entries", sa.Column("job", sa.String(length=32), server_default="", nullable=False))
