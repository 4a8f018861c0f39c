"""How much is recorded, kept by SQLite at each change, so that nobody adds up millions of files."""

import sqlite3

TABLE = """
BEGIN;
CREATE TABLE totals (root TEXT PRIMARY KEY, size INTEGER NOT NULL, locked INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO totals SELECT root, SUM(size), SUM(size * locked) FROM files GROUP BY root;
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
"""


def keep(base: sqlite3.Connection) -> None:
    """Have totals kept from now on; what an earlier release recorded is added up once."""
    if not base.execute("SELECT 1 FROM sqlite_master WHERE name = 'totals'").fetchone():
        base.executescript(TABLE)
    base.executescript(TRIGGERS)


def of(base: sqlite3.Connection, root: str) -> tuple[int, int]:
    """Bytes of all files of a storage folder, and those of the locked ones."""
    found = base.execute("SELECT size, locked FROM totals WHERE root = ?", (root,)).fetchone()
    return found or (0, 0)
