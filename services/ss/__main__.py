"""`python -m services.ss`."""

from services.runtime import app
from services.ss.app import build

if __name__ == "__main__":
    app.run("ss", build)
