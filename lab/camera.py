"""A lab camera as a host: a network namespace, a cable, and the camera program for a system."""

import signal
import subprocess
from pathlib import Path

from lab.device import register
from lab.inventory import Machine
from lab.network import Network
from lab.tools import LabError, Process, launch, until

VARIANTS = ("h264", "h264-paced", "h264-audio", "h264-g711", "h265", "garbage")
# Debian's own interpreter: only that one loads Debian's GStreamer bindings.
PYTHON = "/usr/bin/python3"


class Camera:
    """A camera of a lab; power and network work as on any other host."""

    def __init__(self, machine: Machine, network: Network, folder: Path) -> None:
        self.machine = machine
        self.network = network
        self.folder = folder

    @property
    def name(self) -> str:
        return self.machine.name

    @property
    def variant(self) -> str:
        """The host variable `lab_camera`; raises LabError for one nobody knows."""
        wanted = str(self.machine.vars.get("lab_camera", VARIANTS[0]))
        if wanted not in VARIANTS:
            raise LabError(f"{self.name}: lab_camera is {wanted!r}. Use one of {', '.join(VARIANTS)}.")
        return wanted

    @property
    def register_at(self) -> list[str]:
        """The host variable `lab_register`, HOST:PORT/ID of the platform it dials; nothing without one."""
        wanted = self.machine.vars.get("lab_register")
        try:
            if wanted is not None:
                register.split(str(wanted))
        except ValueError as why:
            raise LabError(f"{self.name}: lab_register: {why}. Correct it.") from None
        return [] if wanted is None else [str(wanted)]

    @property
    def running(self) -> bool:
        return self._process() is not None

    def boot(self, release: int = 0, layer: str | None = None) -> None:
        """Switch it on; returns at once. Release and layer are of no interest to a camera."""
        if self.running:
            return
        words = [PYTHON, "-m", "lab.device", self.name, self.variant, *self.register_at]
        self.folder.mkdir(parents=True, exist_ok=True)
        self.network.plug(self.machine)
        launch(self._inside(*words), self.folder, {"PYTHONPATH": str(Path(__file__).resolve().parents[1])})

    def ready(self, seconds: float = 20) -> None:
        """Wait until both of its ports are open; else LabError shows the end of its log."""
        if not until(lambda: self.answers() or not self.running, seconds, 0.05) or not self.running:
            tail = (self.folder / "console.log").read_text(errors="replace")[-1500:]
            raise LabError(f"{self.name} did not come up. Its log ends with:\n{tail}")

    def answers(self) -> bool:
        """Whether RTSP and HTTP are listening."""
        listing = subprocess.run(
            self._inside("ss", "-Hltn"), capture_output=True, text=True, check=False
        ).stdout
        return all(f":{port} " in listing for port in (80, 554))

    def shutdown(self, seconds: float = 0) -> None:
        """Cameras have no other way to be switched off than by their plug."""
        self.poweroff()

    def poweroff(self) -> None:
        """Power loss: the link goes first, so that viewers see silence and no farewell."""
        process = self._process()
        if self.network.state(self.machine) != "unplugged":
            self.network.carrier(self.machine, on=False)
        if process:
            process.kill(signal.SIGKILL)
            until(lambda: not process.alive, 5)
        self.network.unplug(self.machine)

    def command(self, *words: str) -> list[str]:
        """The command line that runs `words` from the camera's place in the network."""
        if not self.running:
            raise LabError(f"{self.name} is off. ./dss lab boot {self.name} starts it.")
        return self._inside(*words)

    def _inside(self, *words: str) -> list[str]:
        return ["nsenter", f"--net={self.network.space(self.name)}", *words]

    def _process(self) -> Process | None:
        return Process.load(self.folder / "process.json")
