"""`dss setup STEP`: the steps of a deployment on a node, called by the playbooks, each safe to repeat."""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

from services.node import (
    accounts,
    activate,
    certificate,
    credentials,
    enrol,
    files,
    holders,
    packages,
    pki,
    release,
    release_record,
    trust,
)
from services.node.report import Report
from services.runtime import config


def _packages(check: bool) -> Report:
    """Standard input: {"repository": folder, "packages": {name: [units it would start]}}."""
    wanted = json.load(sys.stdin)
    return packages.install(wanted["packages"], Path(wanted["repository"]), files.STATE / "apt", check)


def _credentials(check: bool) -> Report:
    """Standard input: {"main": bool}; the node's own configuration is not there yet."""
    return credentials.make_missing(files.ETC / "credentials", json.load(sys.stdin)["main"], check)


def _trust(check: bool) -> Report:
    """On main: authority and certificate. On a sub: only why it has to join, or `join_needed` empty."""
    node, folder = config.load_node(), files.ETC / "pki"
    names = certificate.names_of(node)
    if node.center is None:
        report = trust.ensure_main(folder, node.site, names, check)
    else:
        report = Report(data={"join_needed": pki.Store(folder).fault(names)})
    if not check:
        # On a host where nothing runs yet this only notes what the services will start with.
        holders.tell()
        _tidy()
    return report


def _tidy() -> None:
    from services.node import import_certificate

    import_certificate.tidy()


def _portal_certificate(check: bool) -> Report:
    """Standard input: {"certificate", "key"} of the inventory as PEM."""
    from services.node import import_certificate

    return import_certificate.bring(json.load(sys.stdin), check)


def _folders(check: bool) -> Report:
    """The user and the folders that the tree names, and on main the database's own."""
    report, node = accounts.ensure(check), config.load_node()
    if node.center is None:
        from services.node import database

        report.extend(database.prepare_folder(node.install_path / "mysql", check).changes)
    return report


def _release(check: bool) -> Report:
    """Standard input: {"version", "date", "agreement", "by", "operator"}."""
    wish = json.load(sys.stdin)
    operator = wish.pop("operator", "")
    if not check:
        release_record.dated(wish["version"], wish["date"])
        if not (files.ETC / "release.json").is_file():
            release_record.installed(wish["version"], operator)
    return release.record(files.ETC / "release.json", wish, check)


def _database(check: bool) -> Report:
    # Imported only here: it brings SQLAlchemy and Alembic, which every other step would pay for.
    from services.node import database

    return database.ensure(check)


def _restore_files(check: bool) -> Report:
    from services.node import backup

    return backup.restore_files(files.STATE / "restore.tar", check)


def _restore_database(check: bool) -> Report:
    from services.node import backup

    return backup.restore_database(files.STATE / "restore.tar", check)


STEPS: dict[str, Callable[[bool], Report]] = {
    "packages": _packages,
    "credentials": _credentials,
    "trust": _trust,
    "portal-certificate": _portal_certificate,
    "release": _release,
    "folders": _folders,
    "database": _database,
    "restore-files": _restore_files,
    "restore-database": _restore_database,
    "networks": activate.networks,
    "firewall": activate.firewall,
    "activate": activate.activate,
}


def run(args: argparse.Namespace) -> int:
    """Run one step and print its report as one JSON line."""
    print(STEPS[args.step](args.check).as_json())
    return 0


def join(args: argparse.Namespace) -> int:
    """`dss node join`: get this sub's certificate from main."""
    node = config.load_node()
    center = node.center
    address = args.center or (center.address if center else "")
    port = args.port or (center.https_port if center else 443)
    desk = enrol.Desk(address, port, args.ca_fingerprint)
    report = enrol.join(
        files.ETC / "pki", desk, enrol.read_token(args.token_file), certificate.names_of(node)
    )
    holders.tell()
    print(report.as_json())
    return 0
