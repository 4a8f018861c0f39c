"""Bring the bundle's archive to a host, once, and unpack it there."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from playbooks.plugin_utils.dss_action import Action, Answer, fell
from services import deploy

ARRIVAL = "/var/tmp/dss-bundle.tar"  # noqa: S108 - root's own name, checked by hash before use
NEEDED = 5
"""Times the size of the archive: as it arrives, unpacked, and the programs, which compress to a third."""
REPOSITORY = "/var/lib/dss/bundle/repo"


class ActionModule(Action):
    """Arguments: stage (bool), to put the release beside the one that runs.

    The result also holds what the packages step and the release record need.
    """

    TRANSFERS_FILES = True

    def work(self) -> Answer:
        site = self.site()
        host = site.host(self.host_name)
        version, date = deploy.release(site)
        stage = bool(self.args.get("stage"))
        found = self.module("dss_bundle", {"version": version, "stage": stage})
        if fell(found):
            return found
        archive, sha256 = deploy.archive(site, found["debian"])
        result = {
            "changed": found["have"] != sha256,
            "repository": REPOSITORY,
            "version": version,
            "date": date,
            "packages": site.packages(host),
            "agreement": deploy.AGREEMENT,
            "accepted_by": host.get("dss_accepted_by") or f"the inventory of {site.topology.site}",
        }
        if not result["changed"] or self._task.check_mode:
            return result
        if found["free"] < NEEDED * archive.stat().st_size:
            return result | {"changed": False, "failed": True, "msg": self._full(found["free"], archive)}
        self._transfer_file(str(archive), ARRIVAL)
        ours = [u for units in site.units(host).values() for u in units if u.startswith("dss-")]
        wanted = {"version": version, "sha256": sha256, "units": ours, "archive": ARRIVAL, "stage": stage}
        return result | self.module("dss_bundle", wanted)

    @staticmethod
    def _full(free: int, archive: Path) -> str:
        needed = NEEDED * archive.stat().st_size >> 20
        return (
            f"The release does not fit; nothing has been changed on this host. {free >> 20} MB are free in "
            f"the tightest of /var/tmp, /var/lib/dss and /opt/dss, {needed} MB are needed. Make room there."
        )
