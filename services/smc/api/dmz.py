"""Mapping ports on a router: what becomes reachable, the router's configuration, the test from inside."""

from dataclasses import dataclass
from typing import Annotated, Literal

from services.smc import changes, dmz
from services.smc.api.route import Call, operation
from services.smc.api.schema import Items, Text
from services.smc.dmz import Plan, Tested, Wish

AWAY = (404, 409, 502, 504)
Vendor = Literal["nftables", "openwrt", "mikrotik", "cisco", "opnsense", "pfsense"]


@dataclass(frozen=True)
class DmzWish:
    """Who is outside, which address leads to which node, and the router that maps it."""

    node: Annotated[str, Text(1, 63)]
    address: Annotated[str, Text(2, 45)]
    scopes: Annotated[list[Literal["clients", "devices"]], Items(1, 2)]
    router_address: Annotated[str, Text(2, 45)]
    vendor: Vendor = "nftables"
    interface: Annotated[str, Text(0, 32)] = ""

    @property
    def wish(self) -> Wish:
        """The same for the functions of `services.smc`."""
        scopes = tuple(dict.fromkeys(self.scopes))
        return Wish(self.node, self.address, scopes, self.vendor, self.router_address, self.interface)


@operation("POST", "/dmz/plan", body=DmzWish, answer=Plan, permission="network.view", problems=AWAY)
def plan_dmz(call: Call) -> Plan:
    """What a router would map, and its configuration; nothing is changed."""
    return dmz.plan(call.session, call.body.wish)


@operation("POST", "/dmz/test", body=DmzWish, answer=list[Tested], permission=changes.PERMISSION,
           problems=AWAY)  # fmt: skip
def test_dmz(call: Call) -> list[Tested]:
    """Try every mapped port from main through its outside address."""
    return dmz.test(call.session, call.body.wish, call.account)
