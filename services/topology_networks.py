"""Checks of the networks of hosts: each address is in its network and free, and locks nobody out."""

import ipaddress
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from services.networks import PURPOSES
from services.topology_groups import CATALOGUE_ROLE
from services.topology_inventory import Vars
from services.topology_words import is_address
from services.topology_yaml import Mistake

if TYPE_CHECKING:
    from services.topology_relations import Site

Named = Mapping[str, Any]


def networks(site: "Site") -> Iterator[Mistake]:
    """Every node that has networks or addresses in them."""
    for host, role in site.roles.items():
        if role not in CATALOGUE_ROLE:
            continue
        named, own = both(site, host)
        if set(named) != set(own) and not spoilt(site, host):
            yield from pairs(site, host, named, own)
        yield from inside(site, host, named, own)
        if named:
            yield from ways_in(site, host, own)
            yield from reached(site, host, named)
            yield from service_gateway(site, host, named)
    yield from twice(site)


def both(site: "Site", host: str) -> tuple[Named, Named]:
    """dss_networks and dss_addresses of a host."""
    named, own = site.value(host, "dss_networks") or {}, site.value(host, "dss_addresses") or {}
    assert isinstance(named, Mapping)
    assert isinstance(own, Mapping)
    return named, own


def spoilt(site: "Site", host: str) -> bool:
    """Whether one of the two is written down but wrong in itself, which has been said already."""
    names = site.inventory.members()[host]
    layers = [found for name in names for found in vars_of(site, name)] + [site.inventory.hosts[host]]
    return any(
        key not in site.merged[host] and any(key in layer for layer in layers)
        for key in ("dss_networks", "dss_addresses")
    )


def vars_of(site: "Site", group: str) -> tuple[Vars, Vars]:
    """Variables of a group, from the inventory files and from group_vars."""
    found = site.inventory.groups[group]
    return found.vars, found.files


def pairs(site: "Site", host: str, named: Named, own: Named) -> Iterator[Mistake]:
    """Each network has an address of the host, and each address a network."""
    for purpose in named:
        if purpose not in own:
            network = named[purpose]["network"]
            yield Mistake(
                site.where(host, "dss_addresses"),
                f"{host}.dss_addresses",
                f"{host} has no address in the network {purpose}.",
                f"Add {purpose} with its address in {network}, or leave {purpose} out of its dss_networks.",
            )
    for purpose in own:
        if purpose not in named:
            yield Mistake(
                _at(site, host, purpose),
                f"{host}.dss_addresses.{purpose}",
                f"There is no network {purpose} for this address.",
                f"Add {purpose} to dss_networks with its network and interface, or take the address out.",
            )


def inside(site: "Site", host: str, named: Named, own: Named) -> Iterator[Mistake]:
    """Each address is one of its network that a host can have."""
    for purpose in (p for p in own if p in named):
        network, address = ipaddress.ip_network(named[purpose]["network"]), ipaddress.ip_address(own[purpose])
        where, key = _at(site, host, purpose), f"{host}.dss_addresses.{purpose}"
        if address not in network:
            yield Mistake(
                where,
                key,
                f"{address} is not in {network}, the network {purpose} on {named[purpose]['interface']}.",
                "Give the node an address of that network, or correct the network.",
            )
        elif address.version == 4 and address in (network[0], network[-1]) and network.prefixlen < 31:
            yield Mistake(
                where, key, f"{address} is no address for a host of {network}.", "Take one between the ends."
            )


def ways_in(site: "Site", host: str, own: Named) -> Iterator[Mistake]:
    """The firewall lets SSH in at the management address alone: that is where Ansible must connect to."""
    ssh, service = site.value(host, "ansible_host"), site.value(host, "dss_address")
    management = own.get("management")
    if management and is_address(ssh) and ssh != management:
        yield Mistake(
            site.where(host, "ansible_host"),
            f"{host}.ansible_host",
            f"SSH is open at {management} alone, the address for management; a deployment by {ssh} would "
            "lock itself out.",
            f"Write ansible_host: {management}.",
        )
    cluster = own.get("cluster")
    if cluster and service and service != cluster:
        yield Mistake(
            site.where(host, "dss_address"),
            f"{host}.dss_address",
            f"Other nodes reach {host} at {cluster}, its address for cluster.",
            "Take dss_address out.",
        )


def reached(site: "Site", host: str, named: Named) -> Iterator[Mistake]:
    """The deployment comes in by the management network, so it cannot be what makes it."""
    vlan, parent = (named.get("management", {}).get(key) for key in ("vlan", "interface"))
    if vlan:
        yield Mistake(
            site.merged[host]["dss_networks"].at("management"),
            "dss_networks.management",
            f"The deployment comes in by this network, so it cannot make its VLAN {vlan}.",
            f"Set the VLAN up on the host itself, and write interface: {parent}.{vlan} without vlan.",
        )


def service_gateway(site: "Site", host: str, named: Named) -> Iterator[Mistake]:
    """A gateway of the service address is of no use where nothing is served there."""
    if site.value(host, "dss_gateway") and set(PURPOSES) <= set(named):
        yield Mistake(
            site.where(host, "dss_gateway"),
            "dss_gateway",
            f"Every purpose of {host} has a network of its own; nothing is left for this gateway.",
            "Write it as gateway in the network of dss_networks that it belongs to.",
        )


def twice(site: "Site") -> Iterator[Mistake]:
    """No address belongs to two networks, or to two hosts."""
    seen: dict[object, str] = {}
    for host, role in site.roles.items():
        plain = site.value(host, "dss_address") or site.value(host, "ansible_host")
        if role and plain is not None:
            seen.setdefault(plain, host)
    taken: dict[object, str] = {}
    for host, role in site.roles.items():
        own = both(site, host)[1] if role in CATALOGUE_ROLE else {}
        for purpose, address in own.items():
            owner = taken.get(address) or (seen[address] if seen.get(address, host) != host else "")
            if owner:
                yield Mistake(
                    _at(site, host, purpose),
                    f"{host}.dss_addresses.{purpose}",
                    f"{address} is also the address of {owner}.",
                    "Give one of them another address. Purposes that share one are left out of dss_networks: "
                    "they stay on the service address.",
                )
            taken.setdefault(address, f"{host} ({purpose})")


def _at(site: "Site", host: str, purpose: str) -> str:
    return site.merged[host]["dss_addresses"].at(purpose)
