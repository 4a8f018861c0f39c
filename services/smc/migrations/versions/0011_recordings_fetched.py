"""Whether what is missing of a channel's recordings is fetched from the camera's own storage.

Revision: 0011, after 0010.
"""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A column with a value for every row, whose writers need not know of it."""
    op.execute("ALTER TABLE recording_plans ADD COLUMN IF NOT EXISTS fetch_missing BOOL NOT NULL DEFAULT 1")


def downgrade() -> None:
    """Earlier releases leave the column alone, so nothing has to go."""
