"""Main's list of nodes from the command line: join tokens, waiting nodes, enabling. As root, on main only."""

import os
import pwd
import socket
import time
from datetime import timedelta

from services.node import files, pki
from services.node.report import Report
from services.runtime.errors import Problem
from services.smc import mapping_grants, nodes, store
from services.smc.accounts import Account

TOKEN_SECONDS = 900
LOOK_SECONDS = 0.5


def operator() -> Account:
    """Who works on this command line, for the audit log: the person behind sudo, else the user."""
    name = os.environ.get("SUDO_USER") or pwd.getpwuid(os.getuid()).pw_name
    return Account(0, f"{name}@{socket.gethostname()}", "administrator", "console")


def token(name: str, seconds: int = TOKEN_SECONDS, mapping_ip: str | None = None) -> dict[str, str]:
    """A one-time token, good for `seconds`, for `name`: {"token", "expires_at", "ca_fingerprint"}.

    `mapping_ip` is the outside address the node may have, "" for none; None leaves what was said before.
    """
    ca = pki.Store(files.ETC / "pki").ca()
    if ca is None:
        raise Problem(
            "no-authority",
            "No token can be made here.",
            "This node has no certificate authority: it is not a deployed main.",
            "Run this on main after its deployment.",
        )
    with store.session() as session:
        made = nodes.add_token(session, name, timedelta(seconds=seconds), operator())
        if mapping_ip is not None:
            mapping_grants.give(session, name, mapping_ip or None, operator())
    return {
        "token": made.token,
        "expires_at": made.expires_at.isoformat(timespec="seconds"),
        "ca_fingerprint": pki.fingerprint(ca),
    }


def enable(name: str, check: bool = False, wait: float = 0.0) -> Report:
    """Let a node work, if it does not yet; one that has just joined is waited for, at most `wait` seconds."""
    report, end = Report(), time.monotonic() + wait
    while not _known(name) and time.monotonic() < end:
        time.sleep(LOOK_SECONDS)
    with store.session() as session:
        if nodes.get(session, name).state != "enabled":
            report.add(f"node {name} enabled")
            if not check:
                nodes.enable(session, name, operator())
    return report


def _known(name: str) -> bool:
    """Whether main has heard of a node; it has to let its messages in first."""
    with store.session() as session:
        return any(node.name == name for node in nodes.listing(session))


def listing() -> list[str]:
    """One line per node: name, role, address, state, reach."""
    with store.session() as session:
        rows = nodes.listing(session)
    return [f"{n.name:16} {n.role:8} {n.address:16} {n.state:10} {n.reach}" for n in rows]
