"""Accounts of RTSP players.

Revision: 0012, after 0011.
"""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

TABLE = """
CREATE TABLE IF NOT EXISTS player_accounts (
  name VARCHAR(32) NOT NULL,
  channels JSON,
  recordings BOOL NOT NULL,
  enabled BOOL NOT NULL,
  ends BIGINT,
  secret VARBINARY(600) NOT NULL,
  made_at DATETIME(6) NOT NULL,
  made_by VARCHAR(64) NOT NULL,
  CONSTRAINT pk_player_accounts PRIMARY KEY (name)
) ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin
"""


def upgrade() -> None:
    """A table that earlier releases do not know and do not touch."""
    op.execute(TABLE)


def downgrade() -> None:
    """Earlier releases leave the table alone, so nothing has to go."""
