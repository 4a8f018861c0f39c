"""Every page opens for the administrator and shows what the platform knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.portal.site import Site
    from tests.portal.visitor import Visitor

PAGES = {
    "/": ["Devices", "1 of 2", "sub-2 has joined and waits", "MTS on sub-1 is Unavailable",
          "The certificate sub-1 on sub-1 ends in 5 days"],
    "/servers": ["main-a", "sub-1", "Waiting to be enabled", "127.0.0.21", "203.0.113.21"],
    "/servers/sub-1": ["Reachable", "Mapping IP", "203.0.113.21", "Yard"],
    "/services/main-a": ["DSS_NGINX", "MySQL", "Running", "Planned", "Not in this release", "Restart all"],
    "/services/sub-1": ["Unavailable", "Exit code 1", "Start DSS_MTS"],
    "/topology": ["<svg", "sub-1", "1 of 1 devices online"],
    "/topology?view=table&node=sub-1": ["Linked to", "connected", "Last seen"],
    "/ports": ["Port matrix", "9100", "must be mapped", "Not listening", "Planned",
               "Listens, but is not in the matrix", "8888", "this server only"],
    "/settings/sub-1": ["CMS IP", "127.0.0.21", "Mapping IP", "203.0.113.21", "mts.rtsp to port 19100"],
    "/certificates": ["main-a, 198.18.0.10", "City Hall DSS CA", "Ends within days", "300",
                      "Import the certificate"],
    "/services/main-a/mts/ports": ["rtsp (tcp)", "9100", "DSS_MTS restarts", "must map the new number"],
    "/ports?reach=1": ["From main", "on the server only"],
    "/dmz": ["Clients in the WAN", "VPN"],
    "/dmz/address?scope=clients": ["Mapping IP", "Outside interface"],
    "/tasks": ["Restart DSS_MTS", "Backup", "Upgrade from 1.1.0 to 1.2.3", "mts.rtsp to port 19100", "petra"],
    "/backups": ["dss_backup_key is not in the inventory", "Every 1 d", "by the schedule", "restore.yml",
                 "scp root@127.0.0.1:/var/backups/dss/main-a_20261122T020312Z_1.2.3.dssbackup ."],
    "/releases": ["1.1.0", "Previous", "2026-11-13", "petra", "dss_release=1.1.0", "playbooks/upgrade.yml"],
    "/devices": ["Gate east", "Online", "refuses user or password", "Digest authentication failed"],
    "/devices/add": ["RTSP URL", "Channels", "Password of the device"],
    "/live?size=4": ["Gate east", "data-part=\"video\""],
    "/live?size=4&c=0000000000000000-1": ["1 of these pictures has no camera any more."],
    "/about": ["Version", "1.2.3", "DSS_MTS", "Planned"],
}  # fmt: skip


@pytest.mark.parametrize("path", PAGES)
def test_page_shows_what_the_platform_knows(admin: Visitor, path: str) -> None:
    answer = admin.get(path)
    text = answer.get_data(as_text=True)
    assert answer.status_code == 200, text
    for words in PAGES[path]:
        assert words in text, words


@pytest.mark.parametrize("path", ["/servers", "/servers/sub-1", "/topology?view=table&node=sub-1"])
def test_a_server_with_several_networks_is_shown_with_each_address(
    site: Site, admin: Visitor, path: str
) -> None:
    own = {"management": "198.18.0.21", "cluster": "198.18.1.21", "client": "198.18.2.21"}
    site.agents["sub-1"].addresses = own
    site.tell()
    text = admin.get(path).get_data(as_text=True).lower()
    for purpose, address in own.items():
        assert purpose in text
        assert address in text
