"""A certificate that was imported in the portal outlives an upgrade, a roll-back, and the loss of main."""

import json
from pathlib import Path

import pytest

from lab import release
from lab.admin import Admin
from lab.backup import fetch, lose, newest
from lab.fixtures import PASSWORD
from lab.site import MAIN, Site
from services import sealed
from services.cli import backup
from tests.lab.test_certificates import PORTAL, customer, imports, shown
from tests.lab.test_changes import change, end
from tests.lab.test_upgrade import NEW, OLD, runs, upgrade

__all__ = ["customer"]
pytestmark = [pytest.mark.full, pytest.mark.timeout(1800)]


def is_the_customers(site: Site) -> bool:
    """Whether openssl sees the customer's certificate under the portal's name, and the site's own without."""
    return (
        "Intermediate" in shown(site, MAIN, 443, name=PORTAL)["issuer"]
        and "DSS CA" in shown(site, MAIN, 443)["issuer"]
    )


def test_an_imported_certificate_outlives_upgrade_rollback_and_the_loss_of_main(
    site: Site, admin: Admin, customer: dict[str, str], tmp_path: Path
) -> None:
    key = tmp_path / "backup.key"
    backup.make(key)
    public = sealed.public_text(backup.private_key(key))
    words = "-e", json.dumps({"dss_backup_key": public, "dss_backup_path": "/srv/backups"})
    assert site.play(*words).code == 0
    end(admin, imports(admin, customer), "confirm")

    newer = release.make(tmp_path / "newer", NEW)
    play = upgrade(site, newer, *words)
    assert play.code == 0, play.output[-4000:]
    assert (runs(site, MAIN), is_the_customers(site)) == (NEW, True)
    play = site.play(*words, "-e", f"dss_release={OLD}", playbook="playbooks/rollback.yml")
    assert play.code == 0, play.output[-4000:]
    assert (runs(site, MAIN), is_the_customers(site)) == (OLD, True)

    assert site.play(*words, playbook="playbooks/backup.yml").code == 0
    file = fetch(site, MAIN, newest(site, MAIN), tmp_path / "main.dssbackup")
    lose(site, MAIN)
    told = ["-e", f"dss_backup={file}", "-e", f"dss_backup_private={key}"]
    play = site.play(*words, *told, playbook="playbooks/restore.yml")
    assert play.code == 0, play.output[-4000:]
    assert is_the_customers(site)
    assert set(json.loads(site.on(MAIN, "cat", "/etc/dss/overrides.json"))) == {"portal_certificate"}

    fresh = site.admin()
    fresh.login("admin", PASSWORD)
    end(fresh, change(fresh, MAIN, portal_certificate=None), "confirm")
    assert "DSS CA" in shown(site, MAIN, 443, name=PORTAL)["issuer"]
    assert site.play().code == 0
