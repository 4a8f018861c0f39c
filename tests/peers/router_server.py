"""An SSH server in front of an emulated router, on loopback."""

import contextlib
import re
import socket
import threading
from abc import ABC, abstractmethod
from types import TracebackType

import paramiko

USER, PASSWORD = "operator", "Router.2468"


class Commands(ABC):
    """An emulated device that gets one command a channel."""

    @abstractmethod
    def execute(self, command: str, text: str) -> tuple[str, int]:
        """Output and exit code of a command with its input."""


class Terminal(ABC):
    """An emulated device that is typed at."""

    @abstractmethod
    def prompt(self) -> str:
        """What stands at the start of the line."""

    @abstractmethod
    def typed(self, line: str) -> str:
        """Output of a typed line."""


Device = Commands | Terminal


class _Policy(paramiko.ServerInterface):
    def __init__(self, device: Device) -> None:
        self.device = device

    def get_allowed_auths(self, username: str) -> str:
        return "password"

    def check_auth_password(self, username: str, password: str) -> int:
        good = (username, password) == (USER, PASSWORD)
        return paramiko.AUTH_SUCCESSFUL if good else paramiko.AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED

    def check_channel_pty_request(self, *args: object) -> bool:
        return True

    def check_channel_shell_request(self, channel: paramiko.Channel) -> bool:
        if isinstance(self.device, Terminal):
            threading.Thread(target=_shell, args=(self.device, channel), daemon=True).start()
        return isinstance(self.device, Terminal)

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        if isinstance(self.device, Commands):
            threading.Thread(target=_exec, args=(self.device, channel, command.decode()), daemon=True).start()
        return isinstance(self.device, Commands)


def _exec(device: Commands, channel: paramiko.Channel, command: str) -> None:
    text = b""
    while piece := channel.recv(65536):
        text += piece
    output, code = device.execute(command, text.decode())
    channel.sendall(output.encode())
    channel.send_exit_status(code)
    channel.close()


def _shell(device: Terminal, channel: paramiko.Channel) -> None:
    line = ""
    with contextlib.suppress(OSError):
        channel.sendall(f"\r\n{device.prompt()}".encode())
        while piece := channel.recv(1):
            char = piece.decode()
            channel.sendall(piece)
            if char != "\n":
                line += char
                continue
            output, line = device.typed(line.strip()), ""
            shown = re.sub(r"\n", "\r\n", f"\n{output}" if output else "\n")
            channel.sendall(f"{shown}{device.prompt()}".encode())


class Server:
    """Serves one device until left."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.key = paramiko.ECDSAKey.generate()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.listener.getsockname()[1])
        self.transports: list[paramiko.Transport] = []
        self.thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def host_key(self) -> str:
        """As dss_router_host_key has it."""
        return f"{self.key.get_name()} {self.key.get_base64()}"

    def __enter__(self) -> "Server":
        self.thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A blocked accept is woken by shutdown alone.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(5)
        for transport in self.transports:
            transport.close()
            transport.join(5)

    def _serve(self) -> None:
        while True:
            try:
                one, _ = self.listener.accept()
            except OSError:
                return
            transport = paramiko.Transport(one)
            transport.add_server_key(self.key)
            self.transports.append(transport)
            # A client that leaves over the host key may reset the connection: the next one is still served.
            with contextlib.suppress(paramiko.SSHException, EOFError, OSError):
                transport.start_server(server=_Policy(self.device))
