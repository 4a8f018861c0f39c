#!/usr/bin/python
"""Take DSS off a host: what its own records list, and nothing else."""

import json
import os
import re
import shutil
import subprocess
from typing import Any

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: dss_uninstall
short_description: Remove every file, unit, package and user that DSS added to a host
description:
  - Works from /etc/dss/installed.json (files and units) and /var/lib/dss/footprint.json (packages, users).
  - It runs on the host's own Python, so that a broken or half-removed release can be removed too.
  - A package that something else on the host needs by now is kept, and named in the result.
options:
  install_path:
    description: The folder of what grows.
    type: path
    required: true
  purge:
    description: Also delete the data, and the secrets and certificates without which it cannot be read.
    type: bool
    default: false
author: DSS
"""

EXAMPLES = r"""
- name: Remove the programs, keep the data
  dss_uninstall:
    install_path: /srv/dss
"""

RETURN = r"""
removed:
  description: What was taken away.
  type: list
  returned: always
kept:
  description: What was left, each with the reason.
  type: list
  returned: always
"""

ETC, STATE, PROGRAMS, RUN = "/etc/dss", "/var/lib/dss", "/opt/dss", "/run/dss"
INSTALLED, FOOTPRINT = f"{ETC}/installed.json", f"{STATE}/footprint.json"
UNITS, FIREWALL, TABLES = "/etc/systemd/system", "dss-firewall.service", (("inet", "dss"), ("arp", "dss"))
SECRETS = (f"{ETC}/credentials", f"{ETC}/pki")
WORKING = (
    *("apt", "backup", "bundle", "bundle.new", "bundle.old", "pending", "restore.tar", "switch", "trees"),
    *("certificate-told", "footprint.json"),
)
SERVICE = re.compile(r"[A-Za-z0-9@_.-]+\.(service|timer|target|slice)")
SECONDS = 600


class UninstallError(Exception):
    """It cannot go on; the text says why and what to do."""


def run(*words: str, check: bool = True) -> str:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    done = subprocess.run(
        words, env=environment, capture_output=True, text=True, check=False, timeout=SECONDS
    )
    if check and done.returncode:
        said = (done.stderr or done.stdout).strip()[-1500:]
        raise UninstallError(f"{' '.join(words[:3])} failed with code {done.returncode}: {said}")
    return done.stdout


def read(path: str, default: dict[str, Any]) -> dict[str, Any]:
    try:
        with open(path) as stream:
            return json.load(stream)
    except FileNotFoundError:
        return default


def units_of(paths: dict[str, list[str]]) -> list[str]:
    """Units whose files or drop-ins are ours."""
    found = set()
    for path in paths:
        if path.startswith(UNITS + "/"):
            name = path[len(UNITS) + 1 :].split("/")[0].removesuffix(".d")
            if SERVICE.fullmatch(name):
                found.add(name)
    return sorted(found)


def installed_now() -> set[str]:
    lines = run("dpkg-query", "-W", "-f", "${db:Status-Abbrev} ${binary:Package}\n").splitlines()
    return {line.split()[1] for line in lines if line[1] != "n"}


def relations() -> dict[str, tuple[list[list[str]], set[str]]]:
    """Installed package → (each dependency as its alternatives, the names it provides and its own)."""
    form = "${binary:Package}\t${Depends}, ${Pre-Depends}\t${Provides}\n"
    found = {}
    for line in run("dpkg-query", "-W", "-f", form).splitlines():
        name, needs, provides = line.split("\t")
        wanted = [[bare(word) for word in need.split("|")] for need in needs.split(",") if need.strip()]
        offered = {bare(word) for word in provides.split(",") if word.strip()}
        found[name] = (wanted, offered | {bare(name)})
    return found


def bare(word: str) -> str:
    """The name of a package without version and architecture."""
    return word.strip().split(" ")[0].split(":")[0]


def still_needed(ours: set[str]) -> set[str]:
    """Those of our packages that a package of somebody else needs, directly or through others."""
    known = relations()
    needed: set[str] = set()
    asking = [name for name in known if name not in ours]
    others = set().union(*(known[name][1] for name in asking)) if asking else set()
    while asking:
        for alternatives in known[asking.pop()][0]:
            if others & set(alternatives):
                continue
            for name in ours - needed:
                if name in known and known[name][1] & set(alternatives):
                    needed.add(name)
                    asking.append(name)
    return needed


class Host:
    """One host, and what is done to it."""

    def __init__(self, install_path: str, purge: bool, check: bool) -> None:
        self.install_path, self.purge, self.check = install_path, purge, check
        self.paths: dict[str, list[str]] = read(INSTALLED, {"files": {}})["files"]
        empty: dict[str, Any] = {"packages": [], "users": [], "groups": [], "active": None}
        self.footprint = read(FOOTPRINT, empty)
        self.removed: list[str] = []
        self.kept: list[str] = []

    def uninstall(self) -> None:
        """Stop, close the firewall's table, remove files, packages, users, programs; the records go last."""
        self.stop()
        self.remove_files()
        self.remove_packages()
        self.restore_units()
        self.remove_users()
        self.remove_programs()
        if self.purge:
            self.remove_data()

    def note(self, what: str) -> bool:
        """Record a removal; whether it may really be made."""
        self.removed.append(what)
        return not self.check

    def stop(self) -> None:
        units = units_of(self.paths)
        if units and self.note(f"units {', '.join(units)}"):
            # The slice above ours comes with them, without a file of its own.
            run("systemctl", "stop", *units, "dss.slice", check=False)
            run("systemctl", "disable", "--quiet", *(u for u in units if u.startswith("dss")), check=False)
        # Only our own tables: the rules of others, and the way in for whoever runs this, stay as they are.
        if not self.check and shutil.which("nft"):
            for table in TABLES:
                run("nft", "delete", "table", *table, check=False)

    def remove_files(self) -> None:
        for path in sorted(self.paths):
            if os.path.lexists(path) and self.note(path):
                os.unlink(path)
                self.prune(os.path.dirname(path))
        if self.check:
            return
        masked = [u for u in units_of(self.paths) if os.path.islink(f"{UNITS}/{u}")]
        if masked:
            run("systemctl", "unmask", "--quiet", *masked, check=False)
        run("systemctl", "daemon-reload", check=False)
        if any("journald" in path for path in self.paths):
            run("systemctl", "restart", "systemd-journald.service", check=False)

    def prune(self, folder: str) -> None:
        """Remove folders of ours that have become empty."""
        while folder.endswith((".d", "/dss", "/engines", "/services", "/page")) and folder.count("/") > 2:
            try:
                os.rmdir(folder)
            except OSError:
                return
            folder = os.path.dirname(folder)

    def remove_packages(self) -> None:
        ours = set(self.footprint["packages"]) & installed_now()
        needed = still_needed(ours)
        self.kept += [f"package {name}: another package needs it" for name in sorted(needed)]
        gone = sorted(ours - needed)
        if gone and self.note(f"{len(gone)} packages: {' '.join(gone)}"):
            run("dpkg", "--purge", *gone)

    def restore_units(self) -> None:
        """What somebody else had running under our engines' names runs again as it did."""
        for unit in self.footprint["active"] or []:
            if not self.check:
                run("systemctl", "unmask", "--quiet", unit, check=False)
                run("systemctl", "reset-failed", unit, check=False)
                run("systemctl", "restart", unit, check=False)
            self.kept.append(f"unit {unit}: it ran before DSS came")

    def remove_users(self) -> None:
        for kind, command, names in (("user", "userdel", "users"), ("group", "groupdel", "groups")):
            database = {
                line.split(":")[0] for line in self.lines(f"/etc/{'passwd' if kind == 'user' else kind}")
            }
            for name in self.footprint[names]:
                if name in database and self.note(f"{kind} {name}"):
                    run(command, name, check=False)

    @staticmethod
    def lines(path: str) -> list[str]:
        with open(path) as stream:
            return stream.readlines()

    def remove_programs(self) -> None:
        gone = [PROGRAMS, RUN, *(f"{STATE}/{name}" for name in WORKING), f"{ETC}/release.json", INSTALLED]
        for path in gone:
            self.remove(path)
        self.prune(ETC)

    def remove_data(self) -> None:
        for path in (*SECRETS, ETC, STATE, self.install_path):
            self.remove(path)

    def remove(self, path: str) -> None:
        if os.path.lexists(path) and self.note(path):
            if os.path.isdir(path) and not os.path.islink(path):
                # A mount point of its own cannot be removed, only emptied.
                shutil.rmtree(path, ignore_errors=os.path.ismount(path))
            else:
                os.unlink(path)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "install_path": {"type": "path", "required": True},
            "purge": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    host = Host(module.params["install_path"], module.params["purge"], module.check_mode)
    try:
        host.uninstall()
    except (UninstallError, OSError, ValueError) as problem:
        module.fail_json(
            msg=f"{problem}. Correct the cause and run it again; it continues where it stopped.",
            removed=host.removed,
        )
    if not host.purge:
        host.kept += [f"data {path}" for path in (host.install_path, STATE, *SECRETS) if os.path.isdir(path)]
    module.exit_json(changed=bool(host.removed), removed=host.removed, kept=host.kept)


if __name__ == "__main__":
    main()
