"""Devices that register by themselves have an id by which they do so.

Revision: 0003, after 0002.
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One column, empty for every device that is reached by its address."""
    op.execute("ALTER TABLE devices ADD COLUMN IF NOT EXISTS register_id VARCHAR(64) AFTER rtsp_port")
