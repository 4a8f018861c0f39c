"""What a recording plan says beside its kind: the template of the week, seconds around an event.

Revision: 0007, after 0006.
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

COLUMNS = (
    "week JSON",
    "pre_seconds INTEGER NOT NULL DEFAULT 10",
    "post_seconds INTEGER NOT NULL DEFAULT 30",
)


def upgrade() -> None:
    """Three columns with values for every row, whose writers need not know of them."""
    for column in COLUMNS:
        op.execute(f"ALTER TABLE recording_plans ADD COLUMN IF NOT EXISTS {column}")


def downgrade() -> None:
    """Earlier releases leave the columns alone, so nothing has to go."""
