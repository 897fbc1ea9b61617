"""When a broker was told of a shard, in place of an outbox."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("shards", sa.Column("told", sa.Float(), server_default="0", nullable=False))
    op.drop_table("outbox")
