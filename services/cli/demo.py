"""`./dss demo`: a site on lab hosts, from bare machines to a decoded live picture."""

import argparse
import json
import subprocess
import time

from services.cli.verb import ROOT, CannotError

HELP = "boot a lab, deploy a site on it and show a live picture"
EXAMPLE = "./dss demo"

INVENTORY = "inventories/demo"
STATE = ROOT / ".cache" / "demo.json"
LISTEN = "127.0.0.1:8443"
PORTAL = "198.18.0.10:443"
MAIN = "main-a"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where to listen, and how long the closing proof watches."""
    parser.add_argument("--listen", default=LISTEN, metavar="HOST:PORT", help=f"default {LISTEN}")
    parser.add_argument("--seconds", type=float, default=5.0, help="how long the proof watches each camera")


def step(title: str, *words: str) -> None:
    """Run one `./dss` verb as a step of the demo, its output shown as it comes."""
    started = time.monotonic()
    print(f"\n== {title}", flush=True)
    if subprocess.run([str(ROOT / "dss"), *words], cwd=ROOT, check=False).returncode:
        raise CannotError(
            f"the step '{title}' failed; its messages are above.\n"
            f"Repeat it alone with: ./dss {' '.join(words)}\n"
            "Then run ./dss demo again: finished steps are quick."
        )
    print(f"   {time.monotonic() - started:.0f} s", flush=True)


def password_of_demo() -> str:
    """Made at the first run, kept for later runs on the same lab."""
    from lab.scenario import new_password

    if not STATE.exists():
        STATE.parent.mkdir(parents=True, exist_ok=True)
        STATE.touch(0o600)
        STATE.write_text(json.dumps({"password": new_password()}))
    return str(json.loads(STATE.read_text())["password"])


def authority() -> str:
    """The certificate of the site's own CA, read from main."""
    command = [str(ROOT / "dss"), "lab", "exec", MAIN, "--", "cat", "/etc/dss/pki/ca.pem"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def prove(listen: str, password: str, seconds: float) -> None:
    """Watch every camera through the portal's own path and say what was decoded."""
    from lab import scenario
    from lab.admin import Admin

    admin = Admin(f"https://{listen}", authority())
    scenario.enter(admin, password)
    scenario.enable_subs(admin)
    for device in scenario.add_cameras(admin):
        seen = scenario.look(admin, device, seconds)
        where = f"{device['name']} on {device['node']}"
        if not seen.frames:
            raise CannotError(f"no picture of {where} could be decoded; see the portal's Devices page.")
        print(
            f"   {where:22} {seen.frames} frames decoded in {seen.seconds:.1f} s, {seen.lost} lost, "
            f"first picture after {seen.first_picture * 1000:.0f} ms"
        )


def run(args: argparse.Namespace) -> int:
    """Boot, pack, deploy, initialise, add cameras, prove."""
    from lab import needs
    from lab.admin import RefusedError
    from lab.scenario import USER

    needs.check()
    step("Boot the lab", "lab", "up", INVENTORY)
    step("Pack the bundle", "bundle", "--release", "12")
    step("Deploy the site", "lab", "run", "--", "ansible-playbook", "-i", INVENTORY, "site.yml")
    step("Forward the portal", "lab", "forward", "--listen", args.listen, "--to", PORTAL)
    print("\n== Initialise, enable the sub, add the cameras, watch them", flush=True)
    password = password_of_demo()
    try:
        prove(args.listen, password, args.seconds)
    except (OSError, RefusedError) as why:  # TimeoutError is an OSError
        raise CannotError(
            f"{why}.\nThe site is up at https://{args.listen} (user {USER}, password {password}); "
            "its Home page says what is wrong.\nRun ./dss demo again when that is put right."
        ) from why
    print(f"\nPortal    https://{args.listen}\nUser      {USER}\nPassword  {password}")
    print("The browser warns once: the site has a certificate authority of its own.")
    print("Stop it   ./dss lab down")
    return 0
