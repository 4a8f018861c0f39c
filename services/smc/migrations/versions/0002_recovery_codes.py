"""Recovery codes of accounts.

Revision: 0002, after 0001.
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLE = """
CREATE TABLE IF NOT EXISTS recovery_codes (
  account_id INTEGER NOT NULL,
  selector VARCHAR(4) NOT NULL,
  code_hash VARCHAR(255) NOT NULL,
  made_at DATETIME(6) NOT NULL,
  kept_at DATETIME(6),
  used_at DATETIME(6),
  CONSTRAINT pk_recovery_codes PRIMARY KEY (account_id, selector),
  CONSTRAINT fk_recovery_codes_account_id FOREIGN KEY(account_id)
    REFERENCES accounts (id) ON DELETE CASCADE
) ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin
"""


def upgrade() -> None:
    """The table, if an attempt that was cut off has not made it already."""
    op.execute(TABLE)
