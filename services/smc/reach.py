"""Whether a port really answers, tried from main: a connection, and with TLS whose certificate it is."""

import socket
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from services.runtime import config
from services.smc import everywhere

SECONDS, AT_ONCE = 3.0, 16
State = Literal["reached", "open", "foreign", "refused", "silent", "unreachable"]


@dataclass(frozen=True)
class Target:
    """A TCP port at an address; `node` is who should answer there, by TLS or not."""

    node: str
    address: str
    port: int
    tls: bool


@dataclass(frozen=True)
class Result:
    """How it went.

    `state`: reached (the node proved itself by its certificate), open (something took the connection, who
    is not known), foreign (somebody else answers), refused, silent (no answer within 3 s), unreachable.
    `milliseconds` until the connection stood, None without one; `why` in the system's words.
    """

    state: State
    milliseconds: float | None
    why: str


def attempt(targets: Sequence[Target]) -> list[Result]:
    """Try all of them at once, in their order; takes at most some seconds for each sixteen."""
    return everywhere.at_once(targets, one, AT_ONCE)


def one(target: Target) -> Result:
    """Try one port."""
    start = time.monotonic()
    try:
        with socket.create_connection((target.address, target.port), SECONDS) as plain:
            spent = round((time.monotonic() - start) * 1000, 1)
            return _identify(target, plain, spent) if target.tls else Result("open", spent, "")
    except TimeoutError:
        return Result("silent", None, f"No answer within {SECONDS:.0f} s.")
    except ConnectionRefusedError:
        return Result("refused", None, "The connection was refused.")
    except OSError as error:
        return Result("unreachable", None, f"{error.strerror or error}.")


def _identify(target: Target, plain: socket.socket, spent: float) -> Result:
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=str(config.pki("ca.pem")))
    try:
        with context.wrap_socket(plain, server_hostname=f"{target.node}.node.dss"):
            return Result("reached", spent, "")
    except ssl.SSLCertVerificationError as error:
        return Result(
            "foreign", spent, f"Its certificate is not that of {target.node}: {error.verify_message}."
        )
    except TimeoutError:
        return Result("open", spent, "It took the connection, but did not speak TLS in time.")
    except OSError as error:
        return Result("foreign", spent, f"It does not speak TLS as {target.node} does: {error}.")
