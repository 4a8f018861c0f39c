"""Named moments of recordings.

Revision: 0009, after 0008.
"""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

TABLE = """
CREATE TABLE IF NOT EXISTS bookmarks (
  id VARCHAR(16) NOT NULL,
  channel_id VARCHAR(20) NOT NULL,
  at BIGINT NOT NULL,
  name VARCHAR(80) NOT NULL,
  made_by VARCHAR(64) NOT NULL,
  made_at DATETIME(6) NOT NULL,
  CONSTRAINT pk_bookmarks PRIMARY KEY (id),
  KEY ix_bookmarks_channel_id_at (channel_id, at),
  CONSTRAINT fk_bookmarks_channel_id FOREIGN KEY(channel_id) REFERENCES channels (id) ON DELETE CASCADE
) ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin
"""


def upgrade() -> None:
    """A table that earlier releases do not know and do not touch."""
    op.execute(TABLE)


def downgrade() -> None:
    """Earlier releases leave the table alone, so nothing has to go."""
