"""A host that DSS leaves is as it was before DSS came; what others put there is never touched."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import scenario
from lab.fixtures import INVENTORY, PASSWORD, alone
from lab.host import Host
from lab.site import MAIN, SUB, Site

pytestmark = [pytest.mark.full, pytest.mark.timeout(1800)]

SITE = "Demo"
STATE = r"""
dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n'
echo users; getent passwd; getent group
echo units; systemctl list-unit-files --no-legend --no-pager
systemctl list-units --all --no-legend --no-pager --plain --type=service,socket,timer,target,slice
echo ports; ss -lntuH | awk '{print $1, $5}' | sort
"""
FOREIGN_RULE = (
    "table inet customer { chain guard { type filter hook input priority 10; tcp dport 4711 drop; }; }"
)


CUSTOMER = """
printf 'deb [trusted=yes] file:/root/repo ./\n' >/root/sources.list
only="-qq -o Dir::Etc::sourcelist=/root/sources.list -o Dir::Etc::sourceparts=/dev/null"
only="$only -o APT::Sandbox::User=root"
apt-get $only update
DEBIAN_FRONTEND=noninteractive apt-get $only -y install nginx-light
printf "server { listen 127.0.0.1:8088; return 200 'the customer'; }" >/etc/nginx/conf.d/customer.conf
systemctl restart nginx
rm -rf /root/repo
"""


@pytest.fixture(scope="module")
def leaving(bundle: Path) -> Iterator[Site]:
    """A lab of its own, whose hosts have an nginx and firewall rules of their owner."""
    with alone("leaving") as lab:
        lab.up(INVENTORY)
        yield Site(lab, INVENTORY, "127.0.0.1:18444")


def bring_customer(site: Site, bundle: Path) -> None:
    """An nginx with a page, and a firewall rule, which were on main before DSS."""
    host = site.lab.host(MAIN)
    assert isinstance(host, Host)
    with (bundle / "debian-12.tar").open("rb") as archive:
        subprocess.run(host.command("tar", "-x", "-C", "/root", "repo"), stdin=archive, check=True)
    site.on(MAIN, "sh", "-ec", CUSTOMER)
    subprocess.run([*in_network(host), "nft", FOREIGN_RULE], check=True)


def in_network(host: Host) -> list[str]:
    """Only the network of a host, with this machine's programs: the host itself has no nft of its own."""
    return ["nsenter", "-t", str(host.leader), "-n"]


def rules(site: Site) -> str:
    host = site.lab.host(MAIN)
    assert isinstance(host, Host)
    done = subprocess.run(
        [*in_network(host), "nft", "list", "ruleset"], capture_output=True, text=True, check=True
    )
    return done.stdout


def page(site: Site) -> str:
    return site.python(
        MAIN, "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8088').read().decode())"
    )


# Units of whoever is logged in, names that others only mention, targets of the network: whatever waits
# for them makes them reached, and they stay so until the next boot (systemd.special(7)).
FLEETING = (
    *("session-", "run-", "user-", "user@", "not-found"),
    *("network-pre.target", "network-online.target"),
    # It is started by who asks for the time zone and ends by itself when nobody does.
    "systemd-timedated",
)


def lines(site: Site, host: str) -> list[str]:
    """What the host consists of."""
    text = site.on(host, "sh", "-c", STATE)
    return sorted(line for line in text.splitlines() if not any(word in line for word in FLEETING))


def packages(site: Site) -> dict[str, str]:
    """Package → version on main."""
    text = site.on(MAIN, "dpkg-query", "-W", "-f", "${Package} ${Version}\n")
    return dict(line.split() for line in text.splitlines())


def test_a_host_is_left_as_it_was_found_and_found_again(leaving: Site, bundle: Path) -> None:
    site = leaving
    bring_customer(site, bundle)
    assert page(site).strip() == "the customer"
    site.on(SUB, "sh", "-c", "echo kept >/etc/customer.conf")
    before = {host: lines(site, host) for host in (MAIN, SUB)}
    first = site.play()
    assert first.code == 0, first.output[-4000:]
    site.lab.forward(site.listen, "198.18.0.10:443")
    admin = site.admin()
    scenario.enter(admin, PASSWORD)
    scenario.enable_subs(admin)
    scenario.add_cameras(admin)
    assert "table inet dss" in rules(site)
    assert "customer" in rules(site)

    preview = site.play("--check", playbook="playbooks/uninstall.yml")
    assert preview.code == 0, preview.output[-4000:]
    assert site.on(MAIN, "dss", "verify").count("WRONG") == 0

    versions = packages(site)
    gone = site.play(playbook="playbooks/uninstall.yml")
    assert gone.code == 0, gone.output[-4000:]
    # What the installation had to bring up to date stays so: Debian supports no way back.
    assert packages(site).items() <= versions.items()
    for host, found in before.items():
        assert set(lines(site, host)) ^ set(found) == set()
    assert "customer" in rules(site)
    assert "dss" not in rules(site)
    assert page(site).strip() == "the customer"
    assert site.on(SUB, "cat", "/etc/customer.conf") == "kept\n"
    again = site.play(playbook="playbooks/uninstall.yml")
    assert (again.code, set(again.changed.values())) == (0, {0}), again.output[-4000:]

    back = site.play()
    assert back.code == 0, back.output[-4000:]
    fresh = site.admin()
    fresh.login(scenario.USER, PASSWORD)
    assert {device["state"] for device in scenario.add_cameras(fresh)} == {"online"}


def test_deleting_the_data_needs_the_name_of_the_site(leaving: Site) -> None:
    for typed in ("", "demo", "Other"):
        words = json.dumps({"dss_purge_data": True, "dss_confirm": typed})
        refused = leaving.play("-e", words, playbook="playbooks/uninstall.yml")
        assert refused.code != 0
        assert "is not the site's name" in " ".join(refused.output.split())
    assert leaving.on(MAIN, "dss", "verify").count("WRONG") == 0
    words = json.dumps({"dss_purge_data": True, "dss_confirm": SITE})
    purged = leaving.play("-e", words, playbook="playbooks/uninstall.yml")
    assert purged.code == 0, purged.output[-4000:]
    for host in (MAIN, SUB):
        assert (
            leaving.on(host, "sh", "-c", "ls -d /etc/dss /var/lib/dss /opt/dss /srv/dss 2>/dev/null || true")
            == ""
        )
