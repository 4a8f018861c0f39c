"""The first tables: accounts, nodes, devices, audit.

Revision: 0001, the first.
"""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE IF NOT EXISTS accounts (
  id INTEGER NOT NULL AUTO_INCREMENT,
  `key` VARCHAR(32) NOT NULL,
  name VARCHAR(32) NOT NULL,
  password_hash VARCHAR(255) NOT NULL,
  `role` VARCHAR(32) NOT NULL,
  created_at DATETIME(6) NOT NULL,
  password_changed_at DATETIME(6) NOT NULL,
  CONSTRAINT pk_accounts PRIMARY KEY (id),
  CONSTRAINT uq_accounts_key UNIQUE (`key`)
) ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
CREATE TABLE IF NOT EXISTS applied_messages (
  id VARCHAR(128) NOT NULL,
  at DATETIME(6) NOT NULL,
  CONSTRAINT pk_applied_messages PRIMARY KEY (id),
  KEY ix_applied_messages_at (at)
) ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
CREATE TABLE IF NOT EXISTS audit (
  id BIGINT NOT NULL,
  at DATETIME(6) NOT NULL,
  actor VARCHAR(64) NOT NULL,
  source VARCHAR(64) NOT NULL,
  action VARCHAR(64) NOT NULL,
  target VARCHAR(255) NOT NULL,
  outcome VARCHAR(16) NOT NULL,
  details TEXT NOT NULL,
  prev VARCHAR(64) NOT NULL,
  hash VARCHAR(64) NOT NULL,
  CONSTRAINT pk_audit PRIMARY KEY (id),
  KEY ix_audit_at (at),
  KEY ix_audit_action (action),
  KEY ix_audit_actor (actor)
) ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
CREATE TABLE IF NOT EXISTS audit_head (
  id INTEGER NOT NULL,
  entry BIGINT NOT NULL,
  hash VARCHAR(64) NOT NULL,
  CONSTRAINT pk_audit_head PRIMARY KEY (id)
) ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
CREATE TABLE IF NOT EXISTS join_tokens (
  id INTEGER NOT NULL AUTO_INCREMENT,
  name VARCHAR(63) NOT NULL,
  token_hash VARCHAR(64) NOT NULL,
  created_by VARCHAR(64) NOT NULL,
  created_at DATETIME(6) NOT NULL,
  expires_at DATETIME(6) NOT NULL,
  used_at DATETIME(6),
  used_from VARCHAR(64),
  CONSTRAINT pk_join_tokens PRIMARY KEY (id),
  CONSTRAINT uq_join_tokens_token_hash UNIQUE (token_hash),
  KEY ix_join_tokens_name (name)
) ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
CREATE TABLE IF NOT EXISTS lockouts (
  kind VARCHAR(8) NOT NULL,
  subject VARCHAR(64) NOT NULL,
  recent JSON NOT NULL,
  level INTEGER NOT NULL,
  locked_until DATETIME(6),
  changed_at DATETIME(6) NOT NULL,
  CONSTRAINT pk_lockouts PRIMARY KEY (kind, subject),
  KEY ix_lockouts_changed_at (changed_at)
) ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
CREATE TABLE IF NOT EXISTS nodes (
  name VARCHAR(63) NOT NULL,
  `role` VARCHAR(16) NOT NULL,
  address VARCHAR(64) NOT NULL,
  mapping_ip VARCHAR(64),
  version VARCHAR(32) NOT NULL,
  state VARCHAR(16) NOT NULL,
  registered_at DATETIME(6) NOT NULL,
  state_changed_at DATETIME(6) NOT NULL,
  state_changed_by VARCHAR(64) NOT NULL,
  CONSTRAINT pk_nodes PRIMARY KEY (name)
) ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
CREATE TABLE IF NOT EXISTS settings (
  `key` VARCHAR(64) NOT NULL,
  value TEXT NOT NULL,
  changed_at DATETIME(6) NOT NULL,
  CONSTRAINT pk_settings PRIMARY KEY (`key`)
) ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
CREATE TABLE IF NOT EXISTS devices (
  id VARCHAR(16) NOT NULL,
  name VARCHAR(64) NOT NULL,
  kind VARCHAR(8) NOT NULL,
  node VARCHAR(63) NOT NULL,
  identity VARCHAR(640) NOT NULL,
  url VARCHAR(512),
  host VARCHAR(253) NOT NULL,
  port INTEGER NOT NULL,
  rtsp_port INTEGER NOT NULL,
  username VARCHAR(64) NOT NULL,
  secret VARBINARY(600) NOT NULL,
  created_at DATETIME(6) NOT NULL,
  created_by VARCHAR(64) NOT NULL,
  changed_at DATETIME(6) NOT NULL,
  CONSTRAINT pk_devices PRIMARY KEY (id),
  CONSTRAINT fk_devices_node FOREIGN KEY(node) REFERENCES nodes (name),
  CONSTRAINT uq_devices_identity UNIQUE (identity)
) ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
CREATE TABLE IF NOT EXISTS protection_answers (
  account_id INTEGER NOT NULL,
  number INTEGER NOT NULL,
  question VARCHAR(200) NOT NULL,
  answer_hash VARCHAR(255) NOT NULL,
  CONSTRAINT pk_protection_answers PRIMARY KEY (account_id, number),
  CONSTRAINT fk_protection_answers_account_id FOREIGN KEY(account_id)
    REFERENCES accounts (id) ON DELETE CASCADE
) ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
CREATE TABLE IF NOT EXISTS channels (
  id VARCHAR(20) NOT NULL,
  device_id VARCHAR(16) NOT NULL,
  number INTEGER NOT NULL,
  name VARCHAR(80) NOT NULL,
  streams VARCHAR(16) NOT NULL,
  CONSTRAINT pk_channels PRIMARY KEY (id),
  CONSTRAINT uq_channels_device_id UNIQUE (device_id, number),
  CONSTRAINT fk_channels_device_id FOREIGN KEY(device_id) REFERENCES devices (id) ON DELETE CASCADE
) ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
CREATE TABLE IF NOT EXISTS device_states (
  device_id VARCHAR(16) NOT NULL,
  state VARCHAR(16) NOT NULL,
  reason VARCHAR(500) NOT NULL,
  at DATETIME(6) NOT NULL,
  info JSON NOT NULL,
  CONSTRAINT pk_device_states PRIMARY KEY (device_id),
  CONSTRAINT fk_device_states_device_id FOREIGN KEY(device_id) REFERENCES devices (id) ON DELETE CASCADE
) ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
"""

TRIGGERS = [
    f"""CREATE TRIGGER IF NOT EXISTS audit_no_{verb} BEFORE {verb} ON audit FOR EACH ROW
        SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'the audit log cannot be changed'"""
    for verb in ("update", "delete")
]


def upgrade() -> None:
    """Tables, the audit log's guards, and the beginning of its chain."""
    for table in TABLES.split(";"):
        if table.strip():
            op.execute(table.strip())
    for trigger in TRIGGERS:
        op.execute(trigger)
    op.execute("INSERT IGNORE INTO audit_head (id, entry, hash) VALUES (1, 0, REPEAT('0', 64))")
