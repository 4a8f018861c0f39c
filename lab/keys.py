"""The lab's SSH key pair, and the environment by which Ansible reaches hosts of a clean inventory."""

from pathlib import Path

from lab.tools import cache, locked, run


def private() -> Path:
    """The private key all lab hosts accept for root; made on first use."""
    key = cache() / "ssh" / "id_ed25519"
    with locked(cache() / "ssh" / ".lock"):
        if not key.exists():
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", key)
    return key


def public() -> str:
    """The line for authorized_keys."""
    return private().with_suffix(".pub").read_text()


def environment() -> dict[str, str]:
    """Variables for programs that reach hosts from the controller.

    Host keys are not checked, here only: a lab host is made anew with a new key under an old address.
    """
    return {
        "ANSIBLE_PRIVATE_KEY_FILE": str(private()),
        "ANSIBLE_HOST_KEY_CHECKING": "False",
        "ANSIBLE_REMOTE_USER": "root",
        "ANSIBLE_PYTHON_INTERPRETER": "/usr/bin/python3",
        "ANSIBLE_SSH_ARGS": "-o ControlMaster=auto -o ControlPersist=60s "
        "-o UserKnownHostsFile=/dev/null -o LogLevel=ERROR",
    }
