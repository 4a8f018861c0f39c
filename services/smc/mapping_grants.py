"""Which outside addresses an administrator gave to a node: several may stand behind one address of a router.

Main signs another node's outside address only for one that was given it, in the inventory or in the portal.
"""

import ipaddress

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from services.runtime import clock
from services.smc import audit, models
from services.smc.accounts import Account
from services.smc.store import unit_of_work


@unit_of_work
def give(session: Session, node: str, address: str | None, account: Account, alone: bool = True) -> None:
    """The node may have this address, and with `alone` no other any more; audited.

    None, or what is no address, gives nothing.
    """
    held, given = addresses(session, node), _normal(address)
    if alone:
        rows = delete(models.MappingGrant).where(models.MappingGrant.node == node)
        session.execute(rows.where(models.MappingGrant.address != given))
    if not given or given in held:
        return
    now = clock.now()
    session.add(models.MappingGrant(node=node, address=given, given_by=account.name[:64], given_at=now))
    details = {"address": given}
    audit.write(session, "node.mapping", node, actor=account.name, source=account.source, details=details)


def addresses(session: Session, node: str) -> set[str]:
    """All that the node was given."""
    rows = select(models.MappingGrant.address).where(models.MappingGrant.node == node)
    return set(session.scalars(rows))


def _normal(address: str | None) -> str:
    try:
        return str(ipaddress.ip_address(address or ""))
    except ValueError:
        return ""
