"""The bill of materials of a bundle in CycloneDX 1.6 (ECMA-424), JSON."""

import base64
import json
import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from services.bundle.index import Package
from services.bundle.wheels import Wheel

# Names in Debian's copyright files and wheel metadata are not all SPDX ids, so all are given as plain names.
Component = dict[str, Any]


def deb(package: Package, release: str) -> Component:
    """A Debian package of Debian `release` ("12")."""
    where = f"pkg:deb/debian/{quote(package.name)}@{quote(package.version, safe='')}"
    purl = f"{where}?arch={package.architecture}&distro=debian-{release}"
    hashes = {"SHA-256": package.sha256}
    return _component(package.name, package.version, purl, package.licences, hashes)


def wheel(package: Wheel, release: str) -> Component:
    """A Python package in the virtual environment for Debian `release`."""
    name = package.name.lower().replace("_", "-")
    purl = f"pkg:pypi/{quote(name)}@{quote(package.version, safe='')}?file_name={quote(package.file)}"
    licences = [package.licence] if package.licence else []
    component = _component(package.name, package.version, purl, licences, {"SHA-256": package.sha256})
    return {**component, "bom-ref": f"{purl}#debian-{release}"}


def npm(package: Mapping[str, str]) -> Component:
    """An npm package behind the web assets; `integrity` as in package-lock.json."""
    purl = f"pkg:npm/{quote(package['name'], safe='/')}@{package['version']}"
    digest = base64.b64decode(package["integrity"].removeprefix("sha512-")).hex()
    licences = [package["license"]] if package["license"] else []
    return _component(package["name"], package["version"], purl, licences, {"SHA-512": digest})


def document(name: str, version: str, made: datetime, components: Iterable[Component]) -> bytes:
    """The whole document, its serial number derived from what it lists."""
    listed = sorted(components, key=lambda c: str(c["bom-ref"]))
    content = json.dumps(listed, sort_keys=True)
    root = {"type": "application", "bom-ref": f"{name}@{version}", "name": name, "version": version}
    body = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, content)}",
        "version": 1,
        "metadata": {"timestamp": made.strftime("%Y-%m-%dT%H:%M:%SZ"), "component": root},
        "components": listed,
        "dependencies": [{"ref": root["bom-ref"], "dependsOn": [c["bom-ref"] for c in listed]}],
    }
    return (json.dumps(body, indent=1) + "\n").encode()


def summary(text: bytes) -> str:
    """One line: how many components of each kind, and of how many the licence is known."""
    components = json.loads(text)["components"]
    kinds = {"deb": "Debian", "pypi": "Python", "npm": "npm"}
    counts = [f"{sum(c['purl'].startswith(f'pkg:{k}/') for c in components)} {n}" for k, n in kinds.items()]
    licensed = sum("licenses" in component for component in components)
    return f"{len(components)} components ({', '.join(counts)}), licences known for {licensed}"


def _component(
    name: str, version: str, purl: str, licences: Iterable[str], hashes: Mapping[str, str]
) -> Component:
    component: Component = {
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": version,
        "purl": purl,
        "hashes": [{"alg": algorithm, "content": content} for algorithm, content in hashes.items()],
    }
    named = [{"license": {"name": licence}} for licence in licences]
    return {**component, "licenses": named} if named else component
