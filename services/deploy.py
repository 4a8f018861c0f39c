"""What the playbooks ask on the controller: the site of an inventory, its bundle, what each node gets."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from services import catalog as catalog_module
from services import drift as drift_module
from services import facts, version
from services import topology as topology_module
from services.bundle import manifest as bundle_manifest
from services.catalog import Catalog
from services.drift import Drift
from services.node import portal_certificate
from services.ports import matrix
from services.render import render
from services.router.mapping import Dmz, rules
from services.runtime.errors import Problem
from services.topology import Host, Topology

ROOT = Path(__file__).resolve().parents[1]
AGREEMENT = "1"
"""Version of docs/guide/agreement.md; whoever accepted an older one is asked again."""

MISSING = 66
TAKE = "dss_take"
"""Extra variable of a run: `inventory` takes back what was changed at run time."""

WORDS = frozenset(
    {
        *("dss_action", "dss_backup", "dss_backup_private", "dss_confirm"),
        *("dss_purge_data", "dss_release", "dss_service"),
    }
)
"""What one run is told on its command line; such words are no property of a site."""

PLANNED = {
    "standby": "hot standby",
    "spare": "N+M spare",
    "cascade": "cascaded platform",
}
"""Groups the inventory may hold and this release does not deploy yet."""


@dataclass(frozen=True)
class Site:
    """One inventory, understood."""

    catalog: Catalog
    topology: Topology

    def host(self, name: str) -> Host:
        """A host of the site; Problem when the inventory gives it no role."""
        if name not in self.topology.hosts:
            raise Problem(
                "no-role",
                f"{name} has no role.",
                "It stands in none of the groups that the playbooks know.",
                "Put it into main or sub.",
            )
        found = self.topology.hosts[name]
        if not found.get("dss_portal_certificate"):
            return found
        text, _ = portal_files(found, Path.read_text)
        told = {facts.PORTAL_CERTIFICATE: portal_certificate.summary_of(text)}
        return replace(found, vars={**found.vars, **told})

    def units(self, host: Host) -> dict[str, list[str]]:
        """Service → systemd units of a node, in starting order."""
        role = host.catalogue_role or ""
        return {m.id: [u.name for u in m.units_on(role)] for m in self.catalog.on(role)}

    def packages(self, host: Host) -> dict[str, list[str]]:
        """Debian package → units it would start by itself."""
        role = host.catalogue_role or ""
        found: dict[str, list[str]] = {name: [] for name in catalog_module.packages(self.catalog, role)}
        for service in self.catalog.on(role):
            for package in service.packages:
                found[package] = [u.name for u in service.units_on(role) if u.kind == "engine"]
        return found

    def files(self, host: Host, overrides: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        """Path → text, mode, owner, group, affects of everything a node gets."""
        rendered = render(self.catalog, self.topology, host, overrides)
        return {path: asdict(file) for path, file in rendered.items()}

    def drift(self, host: Host, overrides: Mapping[str, Any]) -> list[Drift]:
        """What was changed on a node at run time and is not in the inventory."""
        told = facts.of(self.topology.site, host, self.catalog)
        return drift_module.listing(told, overrides, facts.defaults(self.catalog))

    def own_ports(self, host: Host) -> dict[str, int]:
        """The port numbers that the inventory gives a host, where they differ from the manifests."""
        found: dict[str, int] = facts.of(self.topology.site, host, self.catalog)["ports"]
        return found

    def listeners(self, host: Host) -> list[str]:
        """`port/protocol` of everything that will listen on a node."""
        rows = matrix(self.catalog, self.topology, host)
        ours = (r for r in rows if r.direction == "in" and r.status == "built" and r.service != "ssh")
        return sorted({f"{r.port}/{r.protocol}" for r in ours})

    def dmz(self, router: Host) -> Dmz:
        """What a router maps."""
        return rules(self.catalog, self.topology, router)

    def left_untouched(self) -> list[str]:
        """One sentence for each host whose role this release does not deploy."""
        return [
            f"{h.name}: {PLANNED[h.role]} is not built yet, this host is left untouched."
            for h in self.topology.hosts.values()
            if h.role in PLANNED
        ]


def load(sources: Sequence[str], overrides: Mapping[str, Any]) -> Site:
    """The site of the one inventory that ansible-playbook was given.

    Raises InventoryErrors, CatalogError, Problem.
    """
    if len(sources) != 1:
        raise Problem(
            "one-inventory",
            f"{len(sources)} inventories were given.",
            "A site is described by exactly one.",
            "Give one folder or file: -i inventories/NAME.",
        )
    catalog = catalog_module.load()
    told = WORDS | {TAKE}
    ours = {key: value for key, value in overrides.items() if key.startswith("dss_") and key not in told}
    return Site(catalog, topology_module.load(sources[0], ours, catalog))


def taken(extra: Mapping[str, Any]) -> str:
    """The value of dss_take, "" without it; Problem for any other word."""
    word = str(extra.get(TAKE, ""))
    if word not in {"", "inventory"}:
        raise Problem(
            "take-unknown",
            f"dss_take={word} is not known; nothing was written.",
            "Only the inventory can be taken.",
            "Write -e dss_take=inventory, or leave it out to keep what was changed at run time.",
        )
    return word


def overrides_of(execute: Callable[[str], Mapping[str, Any]]) -> dict[str, Any]:
    """What was changed on a node at run time; `execute` runs a command there and tells rc, stdout, stderr."""
    path = facts.OVERRIDES_FILE
    done = execute(f"test -e {path} || exit {MISSING}; cat {path}")
    if done["rc"] == MISSING:
        return {}
    try:
        found = json.loads(done["stdout"]) if done["rc"] == 0 else None
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Problem(
            "overrides-unreadable",
            f"What was changed at run time cannot be read from {path}; nothing was written.",
            str(done["stderr"]).strip() or "It holds no JSON object.",
            "Correct the file on the node, or remove it to drop those changes.",
        )
    return found


def drift_lines(host: str, drift: Sequence[Drift]) -> list[str]:
    """One sentence for each value that was changed at run time, and one with the two ways to end it."""
    lines = [f"{host}: {d.path} is {d.value} at run time, {d.inventory} in the inventory." for d in drift]
    ways = "They stay. ./dss export -i INVENTORY writes them there, -e dss_take=inventory drops them."
    if any(d.path == facts.PORTAL_CERTIFICATE for d in drift):
        ways += " An imported certificate is not exported: its key never leaves the node."
    return [*lines, ways] if lines else []


def need_agreement(site: Site) -> None:
    """Problem unless the licence agreement is accepted in the inventory."""
    if site.topology.main.get("dss_accept_agreement") is not True:
        raise Problem(
            "agreement",
            "The licence agreement is not accepted; nothing has been changed on any host.",
            "dss_accept_agreement is not true in the inventory.",
            "Read docs/guide/agreement.md, then write `dss_accept_agreement: true` below `all: vars:`.",
        )


def need_confirmation(site: Site, typed: str) -> None:
    """Problem unless the site's name was typed by whoever is about to delete or replace its data."""
    if typed != site.topology.site:
        raise Problem(
            "not-confirmed",
            "The data is not touched; nothing has been changed on any host.",
            f"The name that was typed, {typed!r}, is not the site's name.",
            f"If you mean it, add -e 'dss_confirm=\"{site.topology.site}\"' to the command.",
        )


def portal_files(host: Host, read: Callable[[Path], str]) -> tuple[str, str]:
    """The customer's certificate with its chain, and "" or its key, from the files that the inventory names.

    Relative paths start at the project. `read` knows how to open an encrypted file. Problem.
    """
    texts = []
    for key in ("dss_portal_certificate", "dss_portal_key"):
        path = (ROOT / str(host.get(key) or "")).resolve()
        try:
            texts.append(read(path))
        except (OSError, ValueError) as problem:
            raise Problem(
                "portal-certificate",
                f"The customer's certificate of {host.name} cannot be read; nothing has been changed.",
                f"{key}: {problem}.",
                "Give dss_portal_certificate and dss_portal_key the paths of PEM files, or neither.",
            ) from problem
    return texts[0], texts[1]


def need_portal_certificates(site: Site, read: Callable[[Path], str]) -> list[str]:
    """Problem when a customer's certificate in the inventory cannot be used; remarks about those that can."""
    remarks = []
    for host in site.topology.nodes:
        if not (host.get("dss_portal_certificate") or host.get("dss_portal_key")):
            continue
        certificate, key = portal_files(host, read)
        own = tuple(filter(None, (host.name, host.address, host.mapping_ip)))
        pair = portal_certificate.check(certificate, key, own)
        if pair.summary != portal_certificate.summary_of(certificate):
            raise portal_certificate.refused(
                "chain-order", "The first certificate in the file is not the one of the key.",
                "Put the server's own certificate first, then those that signed it.",
            )  # fmt: skip
        remarks += [f"Portal certificate of {host.name}: {line}" for line in pair.warnings]
    return remarks


def bundle_folder(site: Site) -> Path:
    """Folder of the bundle that the site installs from; relative paths start at the project."""
    return (ROOT / str(site.topology.main.get("dss_bundle"))).resolve()


def bundle(site: Site) -> bundle_manifest.Manifest:
    """The verified manifest of the bundle: signature and every file; Problem."""
    folder = bundle_folder(site)
    if not folder.is_dir():
        raise Problem(
            "no-bundle",
            f"There is no bundle in {folder}.",
            "Nodes install from a bundle alone, and dss_bundle names no folder with one.",
            "Build it with `./dss bundle`, or let dss_bundle name the folder you were given.",
        )
    found = bundle_manifest.verify(folder)
    if found.version != version.own():
        raise Problem(
            "other-bundle",
            f"The bundle in {folder} is of release {found.version}, these playbooks are of {version.own()}.",
            "Configuration and programs of different releases do not fit each other.",
            "Use playbooks and bundle of one release: `./dss bundle` builds that of these playbooks.",
        )
    return found


def release(site: Site) -> tuple[str, str]:
    """Version and date of the bundle; only its signature is checked again here."""
    manifest = bundle_manifest.verify(bundle_folder(site), only=())
    return manifest.version, manifest.date


def archive(site: Site, debian: str) -> tuple[Path, str]:
    """The bundle's archive for a Debian release and its SHA-256; Problem when there is none.

    The hash is compared on the node, after the transfer.
    """
    folder, name = bundle_folder(site), f"debian-{debian}.tar"
    manifest = bundle_manifest.verify(folder, only=())
    if name not in manifest.files:
        raise Problem(
            "release-not-in-bundle",
            f"The bundle has nothing for Debian {debian}.",
            f"{folder} holds {', '.join(n for n in manifest.files if n.startswith('debian'))}.",
            f"Build it with `./dss bundle --release {debian}`.",
        )
    return folder / name, manifest.files[name].sha256


def inventory_table(errors: Sequence[topology_module.Mistake]) -> list[str]:
    """All mistakes of an inventory as lines of one table: place, key, problem, remedy."""
    lines = [f"{len(errors)} mistake(s) in the inventory; nothing has been changed on any host.", ""]
    width = max((len(f"{e.file}  {e.key}") for e in errors), default=0)
    for error in errors:
        lines.append(f"{f'{error.file}  {error.key}':{min(width, 60)}}  {error.message}")
        lines.append(f"{'':{min(width, 60)}}  -> {error.remedy}")
    return lines
