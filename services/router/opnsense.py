"""OPNsense and pfSense: port forwards in config.xml, merged into a configuration backup.

Both restore whole sections, so that a section with our rules alone would delete all others. The rules are
therefore merged into a backup that was downloaded before, and the result is restored.
"""

import uuid
import xml.etree.ElementTree as ET

from services.render_context import fill
from services.router.cli import RouterError
from services.router.mapping import Dmz

ROOTS = ("opnsense", "pfsense")
LARGEST = 64 << 20


def files(dmz: Dmz) -> dict[str, str]:
    """Name → text of the section with our rules alone, to be read or merged."""
    return {f"dmz-{dmz.vendor}.xml": _section(dmz)}


def removal(dmz: Dmz) -> dict[str, str]:
    """Name → what to do: without the device's configuration there is nothing to write."""
    text = (
        f"To take the port forwards of {dmz.tag} away, download a configuration backup and run\n"
        f"  ./dss dmz -i INVENTORY --router {dmz.router.name} --remove -c config.xml --out FOLDER\n"
        "then restore the written file. By hand: delete the port forwards whose description starts with\n"
        f"  {dmz.tag}/\n"
    )
    return {f"dmz-{dmz.vendor}-remove.txt": text}


def _section(dmz: Dmz) -> str:
    outside = dmz.router.get("dss_wan_interface") or "wan"
    return fill("router/opnsense.xml.j2", dmz=dmz, root=dmz.vendor, outside=outside, identity=_identity)


def _identity(comment: str) -> str:
    """The same identity for the same rule at every rendering."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, comment))


def merge(dmz: Dmz, backup: bytes, remove: bool = False) -> str:
    """The backup with our port forwards replaced, or taken away; everything else stays as it is.

    RouterError when it is no backup of such a router.
    """
    tree = _parse(dmz, backup)
    nat = tree.find("nat")
    if nat is None:
        nat = ET.SubElement(tree, "nat")
    for rule in nat.findall("rule"):
        if (rule.findtext("descr") or "").startswith(f"{dmz.tag}/"):
            nat.remove(rule)
    if not remove:
        ours = ET.fromstring(_section(dmz)).iterfind("nat/rule")  # noqa: S314 - our own template
        for index, rule in enumerate(ours):
            nat.insert(index, rule)
    ET.indent(nat, level=1)
    return '<?xml version="1.0"?>\n' + ET.tostring(tree, encoding="unicode") + "\n"


def _parse(dmz: Dmz, backup: bytes) -> ET.Element:
    # Entities could make a small file huge; no backup of these routers has a document type.
    if len(backup) > LARGEST or b"<!DOCTYPE" in backup or b"<!ENTITY" in backup:
        raise _no_backup(dmz, "It is too large, or it defines entities.")
    try:
        tree = ET.fromstring(backup)  # noqa: S314 - entities are refused above
    except ET.ParseError as error:
        raise _no_backup(dmz, f"It is not XML: {error}.") from None
    if tree.tag != dmz.vendor:
        raise _no_backup(dmz, f"Its outermost element is <{tree.tag}>, not <{dmz.vendor}>.")
    return tree


def _no_backup(dmz: Dmz, why: str) -> RouterError:
    return RouterError(
        f"The file is no configuration backup of {dmz.vendor}.",
        why,
        "Download one, unencrypted: System > Configuration > Backups, or Diagnostics > Backup & Restore.",
    )
