"""Who else listens on this host, and which addresses it has."""

import ipaddress

import psutil

from services.node import units, verify


def holder(port: int, proto: str) -> str:
    """The program outside DSS that listens on a port, in words; empty when there is none."""
    own = set(units.names(units.built()))
    for one in psutil.net_connections("udp" if proto == "udp" else "tcp"):
        listens = one.status == psutil.CONN_LISTEN or proto == "udp"
        if listens and one.laddr and one.laddr.port == port:
            unit = verify.unit_of(one.pid) if one.pid else ""
            if unit not in own:
                return _named(one.pid, unit)
    return ""


def _named(pid: int | None, unit: str) -> str:
    try:
        name = psutil.Process(pid).name() if pid else "a program"
    except psutil.Error:
        name = "a program"
    return f"{name} ({unit})" if unit else f"{name} (process {pid})" if pid else name


def addresses() -> set[str]:
    """Every address of this host's interfaces that others can reach."""
    found = set()
    for listed in psutil.net_if_addrs().values():
        for one in listed:
            try:
                address = ipaddress.ip_address(one.address.partition("%")[0])
            except ValueError:
                continue
            if not (address.is_loopback or address.is_link_local):
                found.add(str(address))
    return found
