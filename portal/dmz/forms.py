"""What the wizard was told so far; it stands in the address, so a step can be opened again at any time."""

from dataclasses import dataclass
from typing import Any

from flask import request

from services.runtime.errors import Problem
from services.smc.dmz import SCOPES, VENDORS, Wish

# Codes of problems → the field beside which they are told.
FIELDS = {
    "dmz-scopes": "scope",
    "dmz-vendor": "vendor",
    "dmz-interface": "interface",
    "dmz-address": "address",
    "dmz-router-address": "router",
    "mapping-taken": "address",
    "mapping-clash": "address",
}


@dataclass(frozen=True)
class Answers:
    """Fields of the wizard as they were typed; `kind` is the router's vendor, `vendor` the one looked at."""

    scopes: tuple[str, ...]
    node: str
    address: str
    router: str
    kind: str
    interface: str
    vendor: str

    @classmethod
    def read(cls, node: str) -> "Answers":
        """From the address or the form; `node` is the server if none was chosen."""
        given = request.values
        scopes = tuple(one for one in SCOPES if one in given.getlist("scope"))
        kind = given.get("kind", VENDORS[0])
        plain = {key: given.get(key, "").strip()[:64] for key in ("address", "router", "interface")}
        return cls(scopes, given.get("node") or node, **plain, kind=kind, vendor=given.get("vendor", kind))

    @property
    def query(self) -> dict[str, Any]:
        """The same as parts of an address."""
        plain = {"node": self.node, "address": self.address, "router": self.router, "kind": self.kind}
        return {"scope": list(self.scopes)} | plain | {"interface": self.interface or None}

    @property
    def wish(self) -> Wish:
        """For the functions of services; another vendor's names of interfaces are not this one's."""
        interface = self.interface if self.vendor == self.kind else ""
        return Wish(self.node, self.address, self.scopes, self.vendor, self.router, interface)


def wrong(problem: Problem) -> dict[str, Problem]:
    """The problem at the field it is about, or at `page`."""
    return {FIELDS.get(problem.code, "page"): problem}
