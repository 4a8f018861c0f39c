"""The schema's history (Alembic).

Every step can be repeated: MariaDB commits each DDL statement by itself, so a power cut leaves half a step,
and the next run has to finish it. No step is taken back: a roll-back leaves the database alone.
"""

from pathlib import Path

from sqlalchemy import Engine

FOLDER = Path(__file__).parent


def upgrade(engine: Engine) -> None:
    """Bring the schema to the newest revision; `engine` may change the schema (root), services may not."""
    # Only a deployment needs Alembic; the portal stays small without it.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()
