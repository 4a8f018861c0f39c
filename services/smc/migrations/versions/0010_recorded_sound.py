"""Whether the sound of a channel is recorded: not where nobody asked for it.

Revision: 0010, after 0009.
"""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A column with a value for every row, whose writers need not know of it."""
    op.execute("ALTER TABLE recording_plans ADD COLUMN IF NOT EXISTS sound BOOL NOT NULL DEFAULT 0")


def downgrade() -> None:
    """Earlier releases leave the column alone, so nothing has to go."""
