"""The audit log."""

from dataclasses import dataclass
from typing import Annotated

from services.smc import audit
from services.smc.api.route import Call, operation
from services.smc.api.schema import Number, Text
from services.smc.audit import Entry, Verdict


@dataclass(frozen=True)
class AuditQuery:
    """Which entries: below number `before`, at most `limit`, of one actor, of one action."""

    before: Annotated[int, Number(1, 2**62)] = 2**62
    limit: Annotated[int, Number(1, audit.PAGE)] = 100
    actor: Annotated[str, Text(0, 64)] = ""
    action: Annotated[str, Text(0, 64)] = ""


@operation("GET", "/audit", query=AuditQuery, answer=list[Entry], permission="audit.view")
def list_audit(call: Call) -> list[Entry]:
    """Entries of the audit log, newest first."""
    query: AuditQuery = call.query
    return audit.listing(
        call.session,
        before=query.before,
        limit=query.limit,
        actor=query.actor or None,
        action=query.action or None,
    )


@operation("GET", "/audit/verify", answer=Verdict, permission="audit.view")
def verify_audit(call: Call) -> Verdict:
    """Walk the whole chain of hashes."""
    return audit.verify(call.session)
