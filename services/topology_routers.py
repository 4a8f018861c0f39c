"""Checks of an inventory's routers: whether each outside address leads through exactly one of them."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from services.topology_groups import CATALOGUE_ROLE
from services.topology_yaml import Mistake

if TYPE_CHECKING:
    from services.topology_relations import Site


def routers(site: "Site") -> Iterator[Mistake]:
    """Only routers that shall map something are looked at."""
    mapping = [name for name, scopes in site.having("dss_dmz", "router") if scopes]
    for name in mapping:
        yield from complete(site, name)
        yield from own_services(site, name)
    if mapping:
        yield from outside_addresses(site, mapping)


def owned(site: "Site", router: str) -> set[str]:
    """Every outside address of a router."""
    more = site.value(router, "dss_wan_addresses") or []
    assert isinstance(more, list)
    return {str(a) for a in (site.value(router, "dss_wan_ip"), *more) if a}


def complete(site: "Site", name: str) -> Iterator[Mistake]:
    """What a router must know of itself before it can map."""
    where = site.where(name, "dss_dmz")
    if not owned(site, name):
        yield Mistake(
            where,
            f"{name}.dss_wan_ip",
            "It shall map ports, but its outside address is not given.",
            "Add dss_wan_ip, and dss_wan_addresses if there are more.",
        )
    if (site.value(name, "dss_router") or "nftables") == "nftables" and not site.value(
        name, "dss_wan_interface"
    ):
        yield Mistake(
            where,
            f"{name}.dss_wan_interface",
            "It shall map ports and close the rest, but its outside interface is not given.",
            "Add dss_wan_interface; `ip -brief address` on the router shows the names.",
        )


def own_services(site: "Site", name: str) -> Iterator[Mistake]:
    """A service of the router itself and a mapped port cannot have the same number outside."""
    listed = site.value(name, "dss_wan_services") or []
    assert isinstance(listed, list)
    for host, outside in site.having("dss_mapping_ip", *CATALOGUE_ROLE):
        if outside not in owned(site, name):
            continue
        for key, number, proto in site.mapped(host):
            row = f"{number}/{proto}"
            if row in listed:
                yield Mistake(
                    site.merged[name]["dss_wan_services"].at(listed.index(row)),
                    f"{name}.dss_wan_services",
                    f"{row} of the router itself and {key} of {host} would both be {outside}:{row}.",
                    f"Take it out of the list, or give {host} another number by dss_ports: {{{key}: ...}}.",
                )


def outside_addresses(site: "Site", mapping: list[str]) -> Iterator[Mistake]:
    """Each dss_mapping_ip is an IPv4 address of one router, and of one only."""
    mapped = False
    for host, outside in site.having("dss_mapping_ip", *CATALOGUE_ROLE):
        mapped = True
        having = [name for name in mapping if outside in owned(site, name)]
        where, key = site.where(host, "dss_mapping_ip"), f"{host}.dss_mapping_ip"
        if ":" in str(outside):
            yield Mistake(
                where,
                key,
                f"{outside} is an IPv6 address; a router maps IPv4 only, IPv6 needs no mapping.",
                "Give an IPv4 address, or leave dss_mapping_ip out and let IPv6 clients use the node's own.",
            )
        elif not having:
            yield Mistake(
                where,
                key,
                f"{outside} is no outside address of {' or '.join(mapping)}, so nothing leads to {host}.",
                f"Add it to dss_wan_addresses of {mapping[0]}, or correct it.",
            )
        elif len(having) > 1:
            yield Mistake(
                where,
                key,
                f"{outside} is an outside address of {' and of '.join(having)}.",
                "Leave it at the router that really has it.",
            )
    if not mapped:
        yield Mistake(
            site.where(mapping[0], "dss_dmz"),
            f"{mapping[0]}.dss_dmz",
            "Nobody outside could reach anything: no node has dss_mapping_ip.",
            "Add dss_mapping_ip to main and to each sub, or remove dss_dmz.",
        )
