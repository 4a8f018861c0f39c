"""When each channel is recorded.

Revision: 0004, after 0003.
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TABLE = """
CREATE TABLE IF NOT EXISTS recording_plans (
  channel_id VARCHAR(20) NOT NULL,
  kind VARCHAR(16) NOT NULL,
  changed_at DATETIME(6) NOT NULL,
  changed_by VARCHAR(64) NOT NULL,
  CONSTRAINT pk_recording_plans PRIMARY KEY (channel_id),
  CONSTRAINT fk_recording_plans_channel_id FOREIGN KEY(channel_id) REFERENCES channels (id) ON DELETE CASCADE
) ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin
"""


def upgrade() -> None:
    """A table that earlier releases do not know and do not touch."""
    op.execute(TABLE)


def downgrade() -> None:
    """Earlier releases leave the table alone, so nothing has to go."""
