"""Which streams of a channel are recorded: the main one where nobody chose.

Revision: 0013, after 0012.
"""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A column with a value for every row, whose writers need not know of it."""
    op.execute(
        "ALTER TABLE recording_plans ADD COLUMN IF NOT EXISTS streams VARCHAR(8) NOT NULL DEFAULT 'main'"
    )


def downgrade() -> None:
    """Earlier releases leave the column alone, so nothing has to go."""
