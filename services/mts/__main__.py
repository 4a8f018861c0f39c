"""`python -m services.mts`."""

from services.mts.app import build
from services.runtime import app

if __name__ == "__main__":
    app.run("mts", build)
