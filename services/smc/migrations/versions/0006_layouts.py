"""Walls of live pictures that people keep for themselves.

Revision: 0006, after 0005.
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TABLE = """
CREATE TABLE IF NOT EXISTS layouts (
  id VARCHAR(16) NOT NULL,
  account_id INTEGER NOT NULL,
  name VARCHAR(64) NOT NULL,
  size INTEGER NOT NULL,
  tiles JSON NOT NULL,
  opens_first BOOL NOT NULL,
  changed_at DATETIME(6) NOT NULL,
  CONSTRAINT pk_layouts PRIMARY KEY (id),
  CONSTRAINT uq_layouts_account_id UNIQUE (account_id, name),
  CONSTRAINT fk_layouts_account_id FOREIGN KEY(account_id) REFERENCES accounts (id) ON DELETE CASCADE
) ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin
"""


def upgrade() -> None:
    """A table that earlier releases do not know and do not touch."""
    op.execute(TABLE)


def downgrade() -> None:
    """Earlier releases leave the table alone, so nothing has to go."""
