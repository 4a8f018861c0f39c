"""`python -m services.mgw`."""

from services.mgw.app import build
from services.runtime import app

if __name__ == "__main__":
    app.run("mgw", build)
