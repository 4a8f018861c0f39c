"""Exports of recordings that were ordered.

Revision: 0008, after 0007.
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

TABLE = """
CREATE TABLE IF NOT EXISTS exports (
  id VARCHAR(16) NOT NULL,
  ordered_by VARCHAR(64) NOT NULL,
  ordered_at DATETIME(6) NOT NULL,
  format VARCHAR(8) NOT NULL,
  start_at DATETIME(6) NOT NULL,
  end_at DATETIME(6) NOT NULL,
  channels JSON NOT NULL,
  CONSTRAINT pk_exports PRIMARY KEY (id),
  INDEX ix_exports_ordered_at (ordered_at)
) ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin
"""


def upgrade() -> None:
    """A table that earlier releases do not know and do not touch."""
    op.execute(TABLE)


def downgrade() -> None:
    """Earlier releases leave the table alone, so nothing has to go."""
