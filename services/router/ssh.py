"""A bounded SSH connection to a router's command line; its host key must be known beforehand."""

import base64
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import paramiko

from services.router.cli import RouterError

CONNECT_SECONDS, ANSWER_SECONDS, WHOLE_SECONDS = 10.0, 15.0, 300.0
MOST_BYTES = 1 << 20
PROMPT = re.compile(r"(?:^|[\r\n])[\w.@:/\[\]-]+(?:\([\w-]+\))?[>#] ?$")
ASKS = re.compile(r"(\[no\]:|\[confirm\]|\(yes/no\)|[Pp]assword:) ?$")
PRIVILEGED = re.compile(r"# ?$")
REFUSED = {
    "cisco": re.compile(r"^% ?.*$", re.MULTILINE),
    "mikrotik": re.compile(
        r"^(?:syntax error|expected |bad command|input does not match|failure:|no such item|invalid |"
        r"value of |ambiguous|not enough permissions).*$",
        re.MULTILINE,
    ),
    "openwrt": re.compile(r"^uci: .*$", re.MULTILINE),
}
"""How each vendor says no; exit codes are told by OpenWrt alone."""


@dataclass(frozen=True)
class Login:
    """Where a router is and how to get in. `host_key` is `type base64`; without it known_hosts decides."""

    host: str
    port: int
    user: str
    password: str | None = field(repr=False, default=None)
    enable: str | None = field(repr=False, default=None)
    key_file: str | None = None
    host_key: str | None = None
    known_hosts: Path = field(default_factory=lambda: Path.home() / ".ssh" / "known_hosts")


class Connection:
    """Implements cli.Talk; a context manager. Everything it does ends within WHOLE_SECONDS."""

    def __init__(self, login: Login, vendor: str) -> None:
        self.login, self.vendor = login, vendor
        self.client = paramiko.SSHClient()
        self.shell: paramiko.Channel | None = None
        self.until = time.monotonic() + WHOLE_SECONDS

    def __enter__(self) -> "Connection":
        trust(self.client, self.login)
        try:
            self._connect()
        except BaseException:
            self.client.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.close()

    def _connect(self) -> None:
        login = self.login
        try:
            self.client.connect(
                login.host,
                login.port,
                login.user,
                login.password,
                key_filename=login.key_file,
                timeout=CONNECT_SECONDS,
                banner_timeout=CONNECT_SECONDS,
                auth_timeout=CONNECT_SECONDS,
                allow_agent=not login.password,
                look_for_keys=not login.password,
            )
        except paramiko.BadHostKeyException as other:
            raise self._wrong_key(other) from None
        except paramiko.AuthenticationException:
            raise self._error(
                f"it refused {login.user}.",
                "Check ansible_user, and ansible_password or ansible_ssh_private_key_file.",
            ) from None
        except (OSError, EOFError, paramiko.SSHException) as why:
            raise self._error(
                f"{str(why) or 'it closed the connection'}.",
                "Check its address, ansible_port and SSH service. If its host key is unknown: compare what "
                f"`ssh-keyscan -p {login.port} {login.host}` prints with the router's console, then write "
                "it to dss_router_host_key.",
            ) from None

    def _wrong_key(self, other: paramiko.BadHostKeyException) -> RouterError:
        return RouterError(
            f"The router at {self.login.host} shows another host key ({other.key.get_name()} "
            f"{other.key.get_base64()[:24]}…) than the one that is known.",
            "It was replaced, or somebody sits in between; no password was sent.",
            "Compare the key at the router's console, then correct dss_router_host_key or known_hosts.",
        )

    def _error(self, why: str, remedy: str) -> RouterError:
        return RouterError(f"There is no SSH connection to {self.login.host}:{self.login.port}:", why, remedy)

    def run(self, command: str, text: str = "") -> str:
        """Output of one command in a channel of its own."""
        try:
            channel = self._channel()
            channel.set_combine_stderr(True)
            channel.exec_command(command)
            if text:
                channel.sendall(text.encode())
            channel.shutdown_write()
            answer = self._read(channel, lambda _: False)
            if not channel.status_event.wait(ANSWER_SECONDS):
                raise self._silent(command)
            return self._checked(command, answer, channel.recv_exit_status())
        except (OSError, paramiko.SSHException) as why:
            raise self._lost(command, why) from None

    def ask(self, command: str) -> str:
        """Output of one line of the interactive session; questions about deleting are answered with yes."""
        try:
            if self.shell is None:
                self.shell = self._open_shell()
            answer = self._typed(self.shell, command)
        except (OSError, paramiko.SSHException) as why:
            raise self._lost(command, why) from None
        lines = answer.replace("\r", "").split("\n")
        return self._checked(command, "\n".join(lines[1:-1]), 0)

    def _open_shell(self) -> paramiko.Channel:
        shell = self._channel()
        shell.get_pty(width=511)
        shell.invoke_shell()
        greeting = self._read(shell, _stopped)
        if not PRIVILEGED.search(greeting):
            self._typed(shell, "enable", self.login.enable or self.login.password or "")
        if not PRIVILEGED.search(self._typed(shell, "terminal length 0")):
            raise self._error("it stays in user mode.", "Give ansible_become_password, the enable secret.")
        return shell

    def _typed(self, shell: paramiko.Channel, line: str, secret: str = "") -> str:
        shell.sendall(f"{line}\n".encode())
        answer = self._read(shell, _stopped)
        for _ in range(3):
            question = ASKS.search(answer)
            if not question:
                break
            reply = secret if "assword" in question[0] else "" if "confirm" in question[0] else "yes"
            shell.sendall(f"{reply}\n".encode())
            answer += "\n" + self._read(shell, _stopped)
        return answer

    def _channel(self) -> paramiko.Channel:
        transport = self.client.get_transport()
        if transport is None:
            raise paramiko.SSHException("the connection is closed")
        channel = transport.open_session(timeout=CONNECT_SECONDS)
        channel.settimeout(ANSWER_SECONDS)
        return channel

    def _read(self, channel: paramiko.Channel, enough: Callable[[str], bool]) -> str:
        """All output until `enough`, or to the end; OSError when nothing comes for ANSWER_SECONDS."""
        data = b""
        while piece := channel.recv(65536):
            data += piece
            if len(data) > MOST_BYTES or time.monotonic() > self.until:
                raise OSError("it talks without end")
            if enough(data.decode("utf-8", "replace")):
                break
        return data.decode("utf-8", "replace")

    def _checked(self, command: str, answer: str, code: int) -> str:
        refusal = REFUSED[self.vendor].search(answer)
        if refusal or code > 0:
            said = (refusal[0] if refusal else answer.strip() or f"exit code {code}").strip()
            raise RouterError(
                f"The router refused `{command}`:",
                f"{said[:200]}.",
                "Its software may be another release, or the user may lack the right.",
            )
        return answer

    def _silent(self, command: str) -> RouterError:
        return RouterError(
            f"The router did not finish `{command}` within {ANSWER_SECONDS:g} s.",
            "It may be busy.",
            "Look at the router.",
        )

    def _lost(self, command: str, why: Exception) -> RouterError:
        if isinstance(why, TimeoutError):
            return self._silent(command)
        return RouterError(f"The connection broke at `{command}`:", f"{why}.", "Look at the router.")


def _stopped(text: str) -> bool:
    """Whether the interactive session waits for us."""
    return bool(PROMPT.search(text) or ASKS.search(text))


def trust(client: paramiko.SSHClient, login: Login) -> None:
    """Only the host key of the inventory is good; without one, only those of known_hosts."""
    client.set_missing_host_key_policy(paramiko.RejectPolicy())
    if login.host_key is None:
        if login.known_hosts.is_file():
            client.load_host_keys(str(login.known_hosts))
        return
    kind, _, text = login.host_key.partition(" ")
    try:
        key = paramiko.PKey.from_type_string(kind, base64.b64decode(text, validate=True))
    except (ValueError, paramiko.SSHException) as why:
        raise RouterError(
            "dss_router_host_key is no host key:", f"{why}.", "Copy the line that ssh-keyscan prints."
        ) from None
    name = login.host if login.port == 22 else f"[{login.host}]:{login.port}"
    client.get_host_keys().add(name, kind, key)
