"""The `dss` command of a node: what an administrator and the playbooks do there, as root."""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable

from services.node import files
from services.runtime.errors import Problem

EXAMPLES = """examples:
  dss status                     every service of this node and its state
  dss restart mts                one service; `all` for every one, in order
  dss logs smc -n 100            its last log lines
  dss password admin             on main: a new password for an account, where nothing else helps
  dss node token sub-2           on main: a token with which sub-2 may join within 15 minutes
  dss node join --center 198.18.0.10 --ca-fingerprint sha256:… --token-file -    on a sub
"""


def status(args: argparse.Namespace) -> int:
    """Print each service with its state; exit code 3 when one of them is Unavailable."""
    from services.node import units

    rows = units.built()
    shown = {u.name: u for u in units.show(units.names(rows))}
    if args.json:
        print(json.dumps([{"id": r["id"], **vars(shown[n])} for r in rows for n in units.names([r])]))
        return 0
    for row in rows:
        for name in units.names([row]):
            unit = shown[name]
            print(f"{row['code']:12} {name:24} {unit.state:12} {unit.reason or unit.since}".rstrip())
    print(_certificate())
    return 3 if any(u.state == "Unavailable" for u in shown.values()) else 0


def _certificate() -> str:
    """How long this node's certificate is good, and what renews it."""
    from services.node import pki

    left = pki.Store(files.ETC / "pki").days_left()
    if left is None:
        return "Certificate: none yet"
    if left < 0:
        return f"Certificate: ended {-left} days ago; run the deployment (site.yml) for this node"
    renew = "" if left >= pki.RENEW_DAYS else "; it was not renewed: see `dss certificate renew`"
    return f"Certificate: good for {left} days{renew}"


def certificate(args: argparse.Namespace) -> int:
    """list, renew, trust and rotate."""
    if args.action == "list":
        from services.node import held

        rows = held.listing()
        text = [f"{r['purpose']:10} {r['not_after'][:10]} {r['subject']} from {r['issuer']}" for r in rows]
        print(json.dumps(rows) if args.json else "\n".join(text))
        return 0
    if args.action == "rotate":
        from services.node import authority

        print(authority.STEPS[args.step](args.wait).as_json())
        return 0
    from services.node import certificate as own

    done = own.renew(args.authority) if args.action == "renew" else own.rely_on(sys.stdin.read())
    print(done.as_json())
    return 0


def act(args: argparse.Namespace) -> int:
    """start, stop or restart one service or all; 1 when a unit is not as it was wished."""
    from services.node import activate

    found = activate.act(args.verb, args.service)
    lines = [f"{unit.name:24} {unit.state:12} {unit.reason}".rstrip() for unit in found]
    print(json.dumps({"changed": True, "changes": lines}) if args.json else "\n".join(lines))
    fine = {"Stopped", "Stopping"} if args.verb == "stop" else {"Running", "Starting"}
    return int(any(u.state not in fine and not u.reason.startswith("withheld") for u in found))


def logs(args: argparse.Namespace) -> int:
    """Print the last log lines of a service's units."""
    from services.node import units

    rows = [r for r in units.built() if args.service in (r["id"], r["code"])]
    for name in units.names(rows) or [args.service]:
        print(units.log(name, args.lines), end="")
    return 0


def ports(args: argparse.Namespace) -> int:
    """Print this node's port matrix."""
    nothing: list[dict[str, object]] = []
    for row in files.read_json(files.ETC / "ports.json", nothing):
        port = f"{row['port']!s:>6}/{row['protocol']:4} {row['direction']:3}"
        where = f" ({row['network']} network, {row['address']})" if row.get("network") else ""
        print(f"{port} {row['service']:10} {row['zone']:8} {row['purpose']}{where}")
    return 0


def node(args: argparse.Namespace) -> int:
    """token, join, enable and list."""
    if args.action == "join":
        from services.node import setup

        return setup.join(args)
    from services.node import registry

    if args.action == "list":
        print("\n".join(registry.listing()))
    elif args.action == "enable":
        print(registry.enable(args.name, args.check, args.wait).as_json())
    else:
        made = registry.token(args.name, args.valid, args.mapping_ip)
        print(json.dumps(made) if args.json else "\n".join(f"{k}: {v}" for k, v in made.items()))
    return 0


def verify(args: argparse.Namespace) -> int:
    """Compare this node with its deployment; exit code 1 when something differs."""
    from services.node import verify as checks

    found = checks.verify(args.wait)
    if args.json:
        print(json.dumps({"checks": checks.as_rows(found)}))
        return 0
    for check in found:
        print(f"{'ok' if check.ok else 'WRONG':6} {check.what:26} {check.reason}".rstrip())
    return 0 if all(c.ok for c in found) else 1


def release(args: argparse.Namespace) -> int:
    """list, switch, back and recover."""
    from services.node import switch

    if args.action == "list":
        for name in switch.kept():
            print(f"{name:12} {'runs' if name == switch.installed() else 'kept'}")
    elif args.action == "recover":
        print(switch.recover(args.boot).as_json())
    else:
        change = switch.upgrade if args.action == "switch" else switch.back
        print(change(args.version, args.by).as_json())
    return 0


def backup(_args: argparse.Namespace) -> int:
    """Make a backup now."""
    from services.node import backup as backups

    print(backups.make().as_json())
    return 0


def recording_key(args: argparse.Namespace) -> int:
    """list and new."""
    from services.node import recording_keys

    found = recording_keys.listing() if args.action == "list" else [recording_keys.renew().as_json()]
    print("\n".join(found))
    return 0


def password(args: argparse.Namespace) -> int:
    """Set a new password for an account of the platform; it is asked for, or read from standard input."""
    from services.node import password as passwords

    passwords.replace(args.account)
    return 0


def support(args: argparse.Namespace) -> int:
    """Write the support bundle and say where it is."""
    from services.node import support as bundle

    print(bundle.make(args.out))
    return 0


def change(args: argparse.Namespace) -> int:
    """list, keep, undo; carry-out and resume are what systemd calls."""
    from services.node import change as changes
    from services.node import change_record

    if args.action == "carry-out":
        return changes.carry_out(args.id)
    if args.action == "resume":
        return changes.resume()
    if args.action == "list":
        for one in change_record.listing():
            last = one.log[-1]["text"] if one.log else ""
            print(f"{one.id} {one.state:9} {one.by:16} {last}")
        return 0
    changes.answer(args.id, args.action)
    return 0


def step(args: argparse.Namespace) -> int:
    """One step of a deployment."""
    from services.node import setup

    return setup.run(args)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(
        prog="dss", epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = top.add_subparsers(dest="verb", required=True)

    def add(name: str, call: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        one = verbs.add_parser(name, help=text)
        one.set_defaults(call=call)
        return one

    add("status", status, "state of every service").add_argument("--json", action="store_true")
    for verb in ("start", "stop", "restart"):
        one = add(verb, act, f"{verb} one service or all")
        one.add_argument("service", nargs="?", default="all")
        one.add_argument("--json", action="store_true")
    one = add("logs", logs, "last log lines of a service")
    one.add_argument("service")
    one.add_argument("-n", "--lines", type=int, default=50)
    add("ports", ports, "port matrix of this node")
    _node_words(add("node", node, "join tokens, joining, enabling"))
    _certificate_words(add("certificate", certificate, "certificates of this node: list, renew, rotate"))
    one = add("change", change, "changes made at run time: list them, keep or undo the open one")
    one.add_argument("action", choices=("list", "keep", "undo", "carry-out", "resume"))
    one.add_argument("id", nargs="?", default="")
    one = add("verify", verify, "compare this node with its deployment")
    one.add_argument("--wait", type=float, default=30, help="seconds for what is still coming up")
    one.add_argument("--json", action="store_true")
    _release_words(add("release", release, "releases on this node, and changing between them"))
    add("backup", backup, "write an encrypted backup of this node now")
    one = add("recording-key", recording_key, "keys for encrypted recordings: list them, use a new one")
    one.add_argument("action", choices=("list", "new"))
    one = add("password", password, "on main: set a new password for an account of the platform")
    one.add_argument("account")
    one = add("support", support, "collect logs, states and settings, without secrets, into one file")
    one.add_argument("--out", default="/var/tmp", help="folder for it; default /var/tmp")  # noqa: S108
    one = add("setup", step, "one step of a deployment (the playbooks call this)")
    one.add_argument("step")
    one.add_argument("--check", action="store_true", help="say what would change, change nothing")
    return top


def _certificate_words(one: argparse.ArgumentParser) -> None:
    actions = one.add_subparsers(dest="action", required=True)
    actions.add_parser("list", help="what this node holds").add_argument("--json", action="store_true")
    renew = actions.add_parser(
        "renew", help="replace the node's certificate if it is due (a timer does this)"
    )
    renew.add_argument("--authority", default="", help="sha256:… also when it comes from another one")
    actions.add_parser("trust", help="trust the authorities on standard input (the playbook calls this)")
    rotate = actions.add_parser("rotate", help="on main: change the site's authority, step by step")
    rotate.add_argument("step", choices=("begin", "issue", "drop", "finish"))
    rotate.add_argument("--wait", type=float, default=30, help="seconds for nodes that are not as far yet")


def _release_words(one: argparse.ArgumentParser) -> None:
    actions = one.add_subparsers(dest="action", required=True)
    actions.add_parser("list", help="releases on this node")
    for name, text in (("switch", "change to a staged release"), ("back", "change back to a kept release")):
        action = actions.add_parser(name, help=f"{text} (the playbooks call this)")
        action.add_argument("version")
        action.add_argument("--by", default="", help="who wants it, for the record")
    recover = actions.add_parser("recover", help="undo a change that was cut off")
    recover.add_argument("--boot", action="store_true", help="while the host starts")


def _node_words(one: argparse.ArgumentParser) -> None:
    actions = one.add_subparsers(dest="action", required=True)
    actions.add_parser("list", help="on main: all nodes")
    token = actions.add_parser("token", help="on main: a one-time token for a node that joins")
    token.add_argument("name")
    token.add_argument("--json", action="store_true")
    token.add_argument(
        "--valid", type=int, default=900, metavar="SECONDS", help="how long it is good; default 900"
    )
    token.add_argument("--mapping-ip", metavar="ADDRESS", help="outside address it may have; empty for none")
    enable = actions.add_parser("enable", help="on main: let a waiting node work")
    enable.add_argument("name")
    enable.add_argument("--check", action="store_true")
    enable.add_argument("--wait", type=float, default=0, help="seconds for one that has just joined")
    join = actions.add_parser("join", help="on a sub: get its certificate from main")
    join.add_argument("--center", default="", help="address of main; default: as deployed")
    join.add_argument("--port", type=int, default=0, help="HTTPS port of main; default: as deployed")
    join.add_argument("--ca-fingerprint", required=True, help="sha256:… as `dss node token` prints it")
    join.add_argument("--token-file", default="-", help="file holding the token; - is standard input")


def main(words: list[str]) -> int:
    """Run one command; a Problem is told in its own words, on standard error."""
    os.environ.setdefault("CREDENTIALS_DIRECTORY", str(files.ETC / "credentials"))
    args = parser().parse_args(words)
    try:
        code: int = args.call(args)
        return code
    except Problem as problem:
        print(f"dss: {problem.what}\n  why: {problem.why}\n  do:  {problem.remedy}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as problem:
        print(f"dss: {' '.join(problem.cmd)} failed: {(problem.stderr or '').strip()}", file=sys.stderr)
        return 1
    except PermissionError as problem:
        print(f"dss: {problem}. Run it as root.", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
