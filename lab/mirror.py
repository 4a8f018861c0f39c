"""Where this machine gets its Debian packages, so that the lab's hosts are made from the same place."""

from dataclasses import dataclass
from pathlib import Path

from lab.tools import LabError

APT = Path("/etc/apt")
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


@dataclass(frozen=True)
class Mirror:
    """A Debian archive and the keyring that signs it."""

    url: str
    keyring: str


def find(apt: Path = APT) -> Mirror:
    """The first source that serves Debian's own suites; raises LabError when there is none."""
    for fields in [*_deb822(apt), *_one_line(apt)]:
        if "main" in fields["components"] and not fields["suites"].endswith("-security"):
            return Mirror(fields["uris"].split()[0].rstrip("/"), fields.get("signed-by") or KEYRING)
    raise LabError(
        "no Debian package source was found in /etc/apt, so no host can be made. "
        "Add your Debian mirror to /etc/apt/sources.list and run the verb again."
    )


def _deb822(apt: Path) -> list[dict[str, str]]:
    """Stanzas of *.sources (sources.list(5)) that hold binary packages of a Debian release."""
    found = []
    for file in sorted((apt / "sources.list.d").glob("*.sources")):
        for stanza in file.read_text().split("\n\n"):
            lines = [line for line in stanza.splitlines() if ":" in line and line[0] not in "# \t"]
            fields = {k.lower(): v.strip() for k, v in (line.split(":", 1) for line in lines)}
            if _is_debian(fields) and fields.get("enabled", "yes") != "no":
                found.append({**fields, "suites": fields["suites"].split()[0]})
    return found


def _one_line(apt: Path) -> list[dict[str, str]]:
    """`deb [options] uri suite components` lines of sources.list and *.list."""
    found = []
    for file in [apt / "sources.list", *sorted((apt / "sources.list.d").glob("*.list"))]:
        for line in file.read_text().splitlines() if file.exists() else []:
            fields = _parse_line(line)
            if _is_debian(fields):
                found.append(fields)
    return found


def _parse_line(line: str) -> dict[str, str]:
    kind, _, rest = line.strip().partition(" ")
    options = ""
    if rest.lstrip().startswith("["):
        options, _, rest = rest.lstrip()[1:].partition("]")
    words = rest.split()
    if kind != "deb" or len(words) < 3:
        return {}
    named = dict(o.split("=", 1) for o in options.split() if "=" in o)
    return {
        "types": "deb",
        "uris": words[0],
        "suites": words[1],
        "components": " ".join(words[2:]),
        "signed-by": named.get("signed-by", ""),
    }


def _is_debian(fields: dict[str, str]) -> bool:
    """Third parties publish `main` too, but only Debian's archive has suites named after its releases."""
    suite = fields.get("suites", "").split()[:1]
    return (
        "deb" in fields.get("types", "").split()
        and "main" in fields.get("components", "").split()
        and suite in (["bookworm"], ["trixie"], ["stable"], ["oldstable"])
    )
