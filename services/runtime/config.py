"""What a service knows about its node, itself and its neighbours: small JSON files, written at deployment."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from services.runtime.errors import Problem


@dataclass(frozen=True)
class Center:
    """The main node of this node's site, as this node reaches it."""

    name: str
    address: str
    https_port: int


@dataclass(frozen=True)
class Node:
    """This server; `role` is its inventory group, `center` is None on main.

    `addresses` by purpose (management, cluster, client, device); empty where `address` serves everything.
    """

    version: str
    site: str
    name: str
    role: str
    address: str
    mapping_ip: str | None
    install_path: Path
    center: Center | None
    addresses: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Service:
    """One resolved service of this node: final port numbers and settings.

    `listen` has the addresses of each port that is not to be bound to every one.
    """

    id: str
    code: str
    ports: dict[str, int]
    settings: dict[str, Any]
    listen: dict[str, list[str]] = field(default_factory=dict)


def root() -> Path:
    """Folder of the deployed configuration; `DSS_ETC` replaces /etc/dss."""
    return Path(os.environ.get("DSS_ETC", "/etc/dss"))


def read_json(path: Path) -> Any:  # noqa: ANN401 - JSON is any of its six types
    """The content of a JSON file; Problem if it is missing or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise _unusable(path, "The file is missing.") from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise _unusable(path, f"{error}.") from error


def load_node() -> Node:
    """This node, from node.json."""
    path = root() / "node.json"
    try:
        data = dict(read_json(path))
        center = data.pop("center")
        data["install_path"] = Path(data["install_path"])
        return Node(center=Center(**center) if center else None, **data)
    except (KeyError, TypeError, ValueError) as error:
        raise _unusable(path, f"A field is missing or unknown: {error}.") from error


def load_service(id: str) -> Service:
    """The service `id` as resolved for this node, from services/<id>.json."""
    path = root() / "services" / f"{id}.json"
    try:
        return Service(**read_json(path))
    except TypeError as error:
        raise _unusable(path, f"A field is missing or unknown: {error}.") from error


def load_catalog() -> list[dict[str, Any]]:
    """All services of the product, from catalog.json: id, code, label, purpose, status, role, …"""
    path = root() / "catalog.json"
    data = read_json(path)
    if not isinstance(data, list):
        raise _unusable(path, "It does not hold a list.")
    return data


def pki(name: str) -> Path:
    """Path of a public certificate file, `ca.pem` or `node.pem`."""
    return root() / "pki" / name


def credential_path(name: str) -> Path:
    """Path of the secret `name` that systemd handed to this unit; Problem if the unit does not load it."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    path = Path(folder) / name if folder else None
    if path is None or not path.is_file():
        raise Problem(
            "credential-missing",
            f"The secret {name!r} is not available to this service.",
            "Its systemd unit does not load it, or the process was started by hand.",
            "Run the deployment again, then start the service with systemctl.",
            status=500,
        )
    return path


def credential(name: str) -> str:
    """The secret `name`, without a trailing line end."""
    return credential_path(name).read_text(encoding="utf-8").rstrip("\n")


def state_dir() -> Path:
    """Folder of this service's small durable state; systemd makes it (StateDirectory=)."""
    folder = os.environ.get("STATE_DIRECTORY")
    if not folder:
        raise Problem(
            "state-directory-missing",
            "This service has no state folder.",
            "STATE_DIRECTORY is not set: the process was started by hand.",
            "Start the service with systemctl.",
            status=500,
        )
    return Path(folder.split(":")[0])


def _unusable(path: Path, why: str) -> Problem:
    return Problem(
        "configuration-unusable",
        f"{path} cannot be used.",
        why,
        "Run the deployment (site.yml) for this node again: it writes the file anew.",
        status=500,
    )
