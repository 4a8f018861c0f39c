"""How much is recorded, kept by SQLite at each change, so that nobody adds up millions of files."""

import sqlite3

TABLE = """
BEGIN;
CREATE TABLE totals (root TEXT PRIMARY KEY, size INTEGER NOT NULL, locked INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO totals SELECT root, SUM(size), SUM(size * locked) FROM files GROUP BY root;
COMMIT;
"""
# The eight bytes are recording_keys.ID_SIZE; of no bytes substr makes NULL.
KEYS = """
BEGIN;
CREATE TABLE keys (key BLOB PRIMARY KEY, files INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO keys SELECT ifnull(substr(parts, 1, 8), x''), COUNT(*) FROM files GROUP BY 1;
COMMIT;
"""
# A row that is replaced tells no trigger that it goes (SQLite, "REPLACE"), so that it is counted out before.
TRIGGERS = """
CREATE TRIGGER IF NOT EXISTS replaced BEFORE INSERT ON files BEGIN
  UPDATE totals SET
    size = size - (SELECT size FROM files WHERE channel = new.channel AND seq = new.seq),
    locked = locked - (SELECT size * locked FROM files WHERE channel = new.channel AND seq = new.seq)
    WHERE root = (SELECT root FROM files WHERE channel = new.channel AND seq = new.seq);
END;
CREATE TRIGGER IF NOT EXISTS added AFTER INSERT ON files BEGIN
  INSERT INTO totals VALUES (new.root, new.size, new.size * new.locked)
    ON CONFLICT (root) DO UPDATE SET size = size + excluded.size, locked = locked + excluded.locked;
END;
CREATE TRIGGER IF NOT EXISTS dropped AFTER DELETE ON files BEGIN
  UPDATE totals SET size = size - old.size, locked = locked - old.size * old.locked WHERE root = old.root;
END;
CREATE TRIGGER IF NOT EXISTS changed AFTER UPDATE OF locked ON files BEGIN
  UPDATE totals SET locked = locked + new.size * new.locked - old.size * old.locked WHERE root = new.root;
END;
CREATE TRIGGER IF NOT EXISTS key_replaced BEFORE INSERT ON files BEGIN
  UPDATE keys SET files = files - 1 WHERE key =
    (SELECT ifnull(substr(parts, 1, 8), x'') FROM files WHERE channel = new.channel AND seq = new.seq);
END;
CREATE TRIGGER IF NOT EXISTS key_added AFTER INSERT ON files BEGIN
  INSERT INTO keys VALUES (ifnull(substr(new.parts, 1, 8), x''), 1)
    ON CONFLICT (key) DO UPDATE SET files = files + 1;
END;
CREATE TRIGGER IF NOT EXISTS key_dropped AFTER DELETE ON files BEGIN
  UPDATE keys SET files = files - 1 WHERE key = ifnull(substr(old.parts, 1, 8), x'');
END;
"""


def keep(base: sqlite3.Connection) -> None:
    """Have totals kept from now on; what an earlier release recorded is added up once."""
    for name, table in (("totals", TABLE), ("keys", KEYS)):
        if not base.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (name,)).fetchone():
            base.executescript(table)
    base.executescript(TRIGGERS)


def of(base: sqlite3.Connection, root: str) -> tuple[int, int]:
    """Bytes of all files of a storage folder, and those of the locked ones."""
    found = base.execute("SELECT size, locked FROM totals WHERE root = ?", (root,)).fetchone()
    return found or (0, 0)


def by_key(base: sqlite3.Connection) -> dict[str, int]:
    """How many files need each key, by its id in hex; "" for those that are not encrypted."""
    return {key.hex(): files for key, files in base.execute("SELECT key, files FROM keys WHERE files > 0")}
