"""How Alembic runs here: always on a connection that the caller gives."""

from alembic import context
from sqlalchemy import text

from services.smc.models import Base

LOCK_SECONDS = 60


def run() -> None:
    """Migrate under a lock, so that two deployments at once wait for each other."""
    connection = context.config.attributes["connection"]
    name = f"dss-migrate-{connection.engine.url.database}"
    if (
        connection.execute(
            text("SELECT GET_LOCK(:name, :wait)"), {"name": name, "wait": LOCK_SECONDS}
        ).scalar()
        != 1
    ):
        raise RuntimeError("another migration is running on this database; try again when it has ended")
    try:
        context.configure(connection=connection, target_metadata=Base.metadata)
        with context.begin_transaction():
            context.run_migrations()
    finally:
        connection.execute(text("SELECT RELEASE_LOCK(:name)"), {"name": name})


run()
