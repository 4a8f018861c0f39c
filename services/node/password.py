"""The last way back into the platform: root on main sets a new password for an account."""

import getpass
import sys

from services.node import registry
from services.runtime.errors import Problem
from services.smc import recovery, store


def replace(account: str) -> None:
    """Ask for a new password and set it; opens the account's lock and ends its sessions."""
    new = typed()
    with store.session() as session:
        recovery.set_password(session, account, new, registry.operator())
    print(f"The password of {account} was changed; all its sessions have ended.")


def typed() -> str:
    """The new password: typed twice at a terminal, else the first line of standard input."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    first, again = getpass.getpass("New password: "), getpass.getpass("Again: ")
    if first != again:
        raise Problem(
            "passwords-differ",
            "Nothing was changed.",
            "The two passwords differ.",
            "Run it again and type the same password twice.",
        )
    return first
