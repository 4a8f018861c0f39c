"""Changes at run time: ports, mapping IP, CMS IP, TLS 1.0."""

from dataclasses import asdict, dataclass
from typing import Annotated

from services.smc import changes, drift
from services.smc.api.route import Call, operation
from services.smc.api.schema import Number, Text
from services.smc.changes import Change
from services.smc.drift import Differing

AWAY = (404, 409, 502, 504)


@dataclass(frozen=True)
class PortChange:
    """New numbers by service.port, 1024 to 65535."""

    ports: dict[str, Annotated[int, Number(1, 65535)]]


@dataclass(frozen=True)
class MappingChange:
    """The address outside the router that leads to the node; null for none."""

    mapping_ip: Annotated[str, Text(2, 45)] | None


@dataclass(frozen=True)
class AddressChange:
    """Which of the node's own addresses is its CMS IP."""

    address: Annotated[str, Text(2, 45)]


@dataclass(frozen=True)
class Tls10Change:
    """Whether clients that know nothing newer than TLS 1.0 are served, on a port of their own."""

    tls10: bool


@dataclass(frozen=True)
class Pair:
    """A certificate with its chain, and its private key, both PEM; the key is never shown again."""

    certificate: Annotated[str, Text(1, 32 * 1024)]
    key: Annotated[str, Text(1, 16 * 1024, secret=True)]


@dataclass(frozen=True)
class CertificateChange:
    """A customer's certificate for the portal, on main only; null for the site's own again."""

    portal_certificate: Pair | None


Asked = PortChange | MappingChange | AddressChange | Tls10Change | CertificateChange


@operation("GET", "/nodes/<name>/drift", answer=list[Differing], permission="network.view", problems=AWAY)
def get_drift(call: Call, name: str) -> list[Differing]:
    """Where the server is not as the inventory says, asked now."""
    return drift.listing(call.session, name)


@operation("GET", "/nodes/<name>/changes", answer=list[Change], permission="network.view", problems=AWAY)
def list_changes(call: Call, name: str) -> list[Change]:
    """The last changes of a node, newest first."""
    return changes.listing(call.session, name)


@operation("POST", "/nodes/<name>/changes", body=Asked,
           answer=Change, status=202, permission=changes.PERMISSION, problems=AWAY)  # fmt: skip
def request_change(call: Call, name: str) -> Change:
    """Change a node; it is undone by itself unless it is confirmed in time."""
    return changes.request(call.session, name, asdict(call.body), call.account)


@operation("GET", "/nodes/<name>/changes/<id>", answer=Change, permission="network.view", problems=AWAY)
def get_change(call: Call, name: str, id: str) -> Change:
    """One change."""
    return changes.get(call.session, name, id)


@operation("POST", "/nodes/<name>/changes/<id>/confirm", answer=Change, status=202,
           permission=changes.PERMISSION, problems=AWAY)  # fmt: skip
def confirm_change(call: Call, name: str, id: str) -> Change:
    """Keep a change, asked through the address and port it made."""
    return changes.answer(call.session, name, id, "confirm", call.account)


@operation("POST", "/nodes/<name>/changes/<id>/undo", answer=Change, status=202,
           permission=changes.PERMISSION, problems=AWAY)  # fmt: skip
def undo_change(call: Call, name: str, id: str) -> Change:
    """Undo an open change now."""
    return changes.answer(call.session, name, id, "undo", call.account)
