"""What the parts of the rendering share: the file, the node as templates see it, the templates."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from services.catalog import Catalog
from services.manifest import Manifest, Unit
from services.topology import Host

TEMPLATES = Path(__file__).resolve().parents[1] / "templates"
GENERATED = "Written by the deployment from the inventory; changes made here are undone by the next one."
PYTHON = "/opt/dss/current/venv/bin/python"
UNITS = "/etc/systemd/system"
FIREWALL_UNIT = "dss-firewall.service"
BACKUP_TIMER, CERTIFICATE_TIMER = "dss-backup.timer", "dss-certificate.timer"
NETWORKS_UNIT = "dss-networks.service"
PKI_KEYS = {"node.key", "ca.key"}


@dataclass(frozen=True)
class File:
    """One file of a node. `affects` names the units that must be restarted, or reloaded, when it changes."""

    text: str
    mode: str = "0644"
    owner: str = "root"
    group: str = "root"
    affects: tuple[str, ...] = ()


@dataclass(frozen=True)
class NodeView:
    """One node, with everything about it that the templates need."""

    catalog: Catalog
    site: str
    host: Host

    @cached_property
    def role(self) -> str:
        """Catalogue role: main or sub."""
        assert self.host.catalogue_role
        return self.host.catalogue_role

    @cached_property
    def services(self) -> tuple[Manifest, ...]:
        """Services that run here, in starting order."""
        return self.catalog.on(self.role)

    def units(self) -> Iterator[tuple[Manifest, Unit]]:
        """(service, unit) of everything that runs here."""
        return ((service, unit) for service in self.services for unit in service.units_on(self.role))

    def unit_names(self) -> tuple[str, ...]:
        """Names of these units, in starting order."""
        return tuple(unit.name for _, unit in self.units())

    def readers(self, id_: str) -> tuple[str, ...]:
        """Our own units that read the resolved JSON of a service when they start.

        These are its own, and those that start after it. Only the numbers of DSS_NGINX are read at each
        call: it is moved without ending anything that runs behind it.
        """
        gateway = self.catalog.services[id_].engine == "nginx"
        return tuple(
            unit.name
            for service, unit in self.units()
            if unit.kind != "engine" and (service.id == id_ or (id_ in service.after and not gateway))
        )

    def bound(self, key: str) -> list[str]:
        """Addresses that a listener `service.port` is bound to; [] where that is every one."""
        port = self.catalog.port(key)
        assert port
        mine = (n.address for n in self.host.networks if set(n.purposes) & set(port.purposes))
        return list(dict.fromkeys(mine))

    def listen(self, key: str) -> list[str]:
        """The same with loopback, in nginx's words, or every one.

        IPv6 only where the node has an address of it, since a kernel may lack it.
        """
        if bound := self.bound(key):
            return [bracket(one) for one in ("127.0.0.1", *bound)]
        addresses = (self.host.address, self.host.mapping_ip or "")
        return ["0.0.0.0", "[::]"] if any(":" in a for a in addresses) else ["0.0.0.0"]  # noqa: S104

    def text(self, template: str, **more: Any) -> str:  # noqa: ANN401 - a template takes anything
        """A template of templates/, filled in."""
        return fill(template, python=PYTHON, host=self.host, ports=self.host.ports, role=self.role, **more)


def fill(template: str, **values: Any) -> str:  # noqa: ANN401 - a template takes anything
    """A template of templates/ that is about no node."""
    return _template(template).render(generated=GENERATED, **values)


def credentials(service: Manifest, role: str) -> tuple[str, ...]:
    """Names of the secrets that the units of a service load on a node of this role."""
    return service.credentials + (service.credentials_main if role == "main" else ())


def credential_path(name: str) -> str:
    """Where a secret lies on the node; only root reads it there."""
    return f"/etc/dss/{'pki' if name in PKI_KEYS else 'credentials'}/{name}"


def bracket(address: str) -> str:
    """An address as it stands before a port: [::1], 127.0.0.1."""
    return f"[{address}]" if ":" in address else address


@lru_cache
def _template(name: str) -> Template:
    return _environment().get_template(name)


@lru_cache
def _environment() -> Environment:
    environment = Environment(  # noqa: S701 - these are configuration files; the one page escapes by hand
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
    environment.globals |= {"bracket": bracket, "credential_path": credential_path}
    return environment
