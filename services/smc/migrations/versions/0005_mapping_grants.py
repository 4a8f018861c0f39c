"""Which outside address an administrator gave to which node.

Revision: 0005, after 0004.
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TABLE = """
CREATE TABLE IF NOT EXISTS mapping_grants (
  node VARCHAR(63) NOT NULL,
  address VARCHAR(64) NOT NULL,
  given_by VARCHAR(64) NOT NULL,
  given_at DATETIME(6) NOT NULL,
  CONSTRAINT pk_mapping_grants PRIMARY KEY (node, address)
) ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin
"""


def upgrade() -> None:
    """A table that earlier releases do not know and do not touch."""
    op.execute(TABLE)


def downgrade() -> None:
    """Earlier releases leave the table alone, so nothing has to go."""
