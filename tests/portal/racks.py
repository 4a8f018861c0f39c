"""A relay of tests/peers in the place of main's own beside the portal."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.serialization import load_pem_private_key

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "peers"))

import mts_rack

if TYPE_CHECKING:
    import pytest

    from tests.portal.site import Site


def fit(made: mts_rack.Rack, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a relay its folder, main's name, and the ports and the key that the portal knows."""
    monkeypatch.setattr(mts_rack, "NODE", "main-a")
    made.ports = ports(site, "mts")
    key = (site.platform.files.credentials / "media-key").read_bytes()
    made.media_key = load_pem_private_key(key, None)
    made.node_token = (site.platform.files.credentials / "node-token").read_text().strip()
    made.folder.mkdir()


def ports(site: Site, service: str) -> dict[str, int]:
    """The ports of a service of main."""
    path = site.platform.files.etc / "services" / f"{service}.json"
    found: dict[str, int] = json.loads(path.read_text())["ports"]
    return found


__all__ = ["fit", "mts_rack", "ports"]
