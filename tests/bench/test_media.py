"""What media costs, beside other relays and recorders that run in turn with ours, with the same cameras."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from media_node import Copies, Node
from media_relays import Ours, Relay, peers
from media_results import Figure, record
from media_rig import Cameras, NotServedError, Processes, Seen, Sink, percentile, progress, viewer

ROUNDS = 2
FIRST_VIEWERS, FIRST_SECONDS = 30, 4.0
RECORD_SECONDS, RECORD_WARM_UP = 6.0, 3.0
MANY = 20
NODE_CAMERAS, NODE_VIEWERS, NODE_SECONDS = 100, 20, 30.0
ENCRYPTION_MOST = 1.5
MUST = "must"
MEASURED = ("ours", "go2rtc")
"""Relays on which a bound stands: they have to serve everybody."""


@dataclass(frozen=True)
class Case:
    """So many cameras that burst or pace, so many viewers of each, and the bound on the ratio to go2rtc."""

    form: str
    cameras: int
    viewers: int
    how: str
    bound: float


CASES = {
    "rtsp_1x100": Case("rtsp", 1, 100, "burst", 0.65),
    "ws_1x100": Case("ws", 1, 100, "burst", 0.35),
    "rtsp_100x1_burst": Case("rtsp", 100, 1, "burst", 0.65),
    "rtsp_100x1_paced": Case("rtsp", 100, 1, "paced", 0.70),
    "ws_100x1": Case("ws", 100, 1, "burst", 0.75),
}


@dataclass
class Rounds:
    """All that was seen of one relay."""

    seen: list[Seen] = field(default_factory=list)

    @property
    def cpu(self) -> float:
        """Processor seconds for each Gbit: the least, as whatever else runs on the machine only adds."""
        return min(one.cpu / one.gbit for one in self.seen)

    @property
    def memory(self) -> float:
        return max(one.memory for one in self.seen)

    @property
    def latency(self) -> list[float]:
        return [value for one in self.seen for value in one.latency]

    @property
    def gbit(self) -> float:
        return sum(one.gbit for one in self.seen)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """What is to be ended with the test."""
    with ExitStack() as kept:
        yield kept


def measure(name: str, relay: Relay, case: Case) -> Seen:
    try:
        with relay.join(case.form, case.viewers) as sink:
            seen = sink.watch(relay.processes, relay.cameras)
            sink.end()
    finally:
        relay.leave()
    progress(f"  {name}: {seen.cpu / seen.gbit:.3f} s/Gbit, cameras late by {seen.late:.0f} ms at most")
    return seen


def in_turn(relays: dict[str, Relay], case: Case) -> dict[str, Rounds]:
    """What was seen of ours, and of those peers that serve so many viewers at all."""
    found = {name: Rounds() for name in relays}
    for _ in range(ROUNDS):
        for name, rounds in list(found.items()):
            try:
                rounds.seen.append(measure(name, relays[name], case))
            except NotServedError as reason:
                if name in MEASURED:
                    raise
                progress(f"  {name} does not keep up and is left out: {reason}")
                relays[name].__exit__()
                del found[name]
    return found


def compare(name: str, found: dict[str, Rounds]) -> dict[str, float]:
    """Record every figure of a case; the ratios of processor time by peer."""
    ours, ratios = found["ours"], {}
    for peer, theirs in found.items():
        if peer == "ours":
            continue
        assert theirs.gbit > 0.8 * ours.gbit, f"{peer} delivers less: {theirs.gbit} of {ours.gbit} Gbit"
        ratios[peer] = ours.cpu / theirs.cpu
        record(Figure(f"{name}: CPU s per Gbit", ours.cpu, peer, theirs.cpu))
        record(Figure(f"{name}: memory MB", ours.memory, peer, theirs.memory))
        for share in (0.5, 0.99) if theirs.latency else ():
            values = percentile(ours.latency, share), percentile(theirs.latency, share)
            record(Figure(f"{name}: latency ms p{100 * share:.0f}", values[0], peer, values[1]))
    return ratios


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", CASES)
def test_relay_costs_less_than_other_relays(
    name: str, stack: ExitStack, programs: dict[str, str], tmp_path: Path
) -> None:
    case = CASES[name]
    progress(name)
    cameras = stack.enter_context(Cameras(tmp_path, case.cameras, case.how))
    kinds: dict[str, type[Relay]] = {"ours": Ours, **peers(programs)}
    fitting = {peer: kind for peer, kind in kinds.items() if case.form in kind.forms}
    relays = {peer: stack.enter_context(kind(cameras, tmp_path)) for peer, kind in fitting.items()}
    ratios = compare(name, in_turn(relays, case))
    assert max(ratios.values()) < 1, ratios
    assert ratios.get("go2rtc", 0) <= case.bound, ratios


@pytest.mark.timeout(200)
@pytest.mark.parametrize("form", ["rtsp", "ws"], ids=lambda form: f"first_{form}")
def test_first_key_frame_comes_at_once(
    form: str, stack: ExitStack, programs: dict[str, str], tmp_path: Path
) -> None:
    progress(f"first_{form}")
    cameras = stack.enter_context(Cameras(tmp_path, FIRST_VIEWERS))
    found = dict[str, list[float]]()
    for name, kind in {"ours": Ours, **peers(programs)}.items():
        if kind.looks and form in kind.forms:
            relay = stack.enter_context(kind(cameras, tmp_path))
            # Somebody watches already, so that the camera is known to every relay.
            stack.enter_context(relay.join(form, 1)).watch(relay.processes, cameras, 1)
            sink = stack.enter_context(relay.join(form, 1, 0.03, FIRST_VIEWERS))
            found[name] = sink.watch(relay.processes, cameras, FIRST_SECONDS).first
            progress(f"  {name}: {len(found[name])} pictures, p50 {percentile(found[name], 0.5):.1f} ms")
    ours = [percentile(found["ours"], share) for share in (0.5, 0.99)]
    assert len(found["ours"]) == FIRST_VIEWERS
    for bound, value, share in zip((5, 20), ours, ("p50", "p99"), strict=True):
        record(Figure(f"first_{form}: first key frame ms {share}", value, MUST, bound))
    for name, theirs in found.items():
        if name != "ours":
            record(Figure(f"first_{form}: first key frame ms p50", ours[0], name, percentile(theirs, 0.5)))
            record(Figure(f"first_{form}: first key frame ms p99", ours[1], name, percentile(theirs, 0.99)))
    assert ours[1] <= 20, ours


def spent(processes: list[Processes]) -> list[float]:
    """CPU seconds of each during one measurement."""
    time.sleep(RECORD_WARM_UP)
    before = [one.cpu() for one in processes]
    time.sleep(RECORD_SECONDS)
    return [one.cpu() - was for one, was in zip(processes, before, strict=True)]


def recorded(node: Node, ours: list[Processes], copies: Copies) -> tuple[float, ...]:
    """CPU seconds of one round: both services while nothing is recorded and while all is, DSS_SS, ffmpeg."""
    idle = sum(spent(ours))
    node.plan("continuous")
    recorder, relay = spent(ours)
    node.plan("off")
    with copies as pids:
        (theirs,) = spent([Processes(pids)])
    progress(f"  DSS_SS {recorder:.3f} s, DSS_MTS {relay:.3f}, both before {idle:.3f}, ffmpeg {theirs:.3f}")
    return idle, recorder + relay, recorder, theirs


@pytest.mark.timeout(300)
@pytest.mark.parametrize("count", [4, 20, 50], ids=lambda n: f"record_{n}")
def test_recording_costs_less_than_a_copying_ffmpeg_for_each_camera(
    count: int, stack: ExitStack, tmp_path: Path
) -> None:
    progress(f"record_{count}")
    cameras = stack.enter_context(Cameras(tmp_path, count))
    node = stack.enter_context(Node(tmp_path))
    node.assign_all(cameras)
    assert node.process
    assert node.recorder
    ours = [Processes([node.recorder.pid]), Processes([node.process.pid])]
    rounds = [recorded(node, ours, Copies(cameras, tmp_path)) for _ in range(ROUNDS)]
    idle, whole, recorder, theirs = (min(one) for one in zip(*rounds, strict=True))
    each = 100 / (RECORD_SECONDS * count)
    for what, cost in (
        ("camera to disk, relay included", whole),
        ("what recording adds to live view", whole - idle),
        ("recorder alone", recorder),
    ):
        name = f"record_{count}: % of a core per camera, {what}"
        record(Figure(name, cost * each, "ffmpeg", theirs * each))
    assert whole / theirs <= 0.60


@pytest.mark.timeout(300)
def test_encryption_costs_a_recorder_little(stack: ExitStack, tmp_path: Path) -> None:
    progress("record_encrypted")
    cameras = stack.enter_context(Cameras(tmp_path, MANY))
    found: dict[bool, list[float]] = {False: [], True: []}
    for number in range(2 * ROUNDS):
        encrypted = number % 2 > 0
        folder = tmp_path / str(number)
        folder.mkdir()
        with Node(folder, {"encryption": encrypted}) as node:
            node.assign_all(cameras)
            node.plan("continuous")
            assert node.recorder
            found[encrypted] += spent([Processes([node.recorder.pid])])
        progress(f"  DSS_SS {found[encrypted][-1]:.3f} s{', encrypting' * encrypted}")
    each = 100 / (RECORD_SECONDS * MANY)
    without, with_it = (min(found[one]) * each for one in (False, True))
    record(Figure("record_encrypted: % of a core per camera, recorder", with_it, "plain", without))
    assert with_it / without <= ENCRYPTION_MOST


@pytest.mark.timeout(300)
def test_node_records_a_hundred_cameras_and_shows_twenty(stack: ExitStack, tmp_path: Path) -> None:
    progress("node")
    cameras = stack.enter_context(Cameras(tmp_path, NODE_CAMERAS))
    node = stack.enter_context(Node(tmp_path))
    node.assign_all(cameras)
    node.plan("continuous")
    half = NODE_VIEWERS // 2
    rows = [viewer("rtsp", node.rtsp(f"cam{n}")) for n in range(half)]
    rows += [viewer("ws", node.ws(f"cam{n}")) for n in range(half, NODE_VIEWERS)]
    assert node.process
    assert node.recorder
    with Sink(rows, NODE_VIEWERS) as sink:
        seen = sink.watch(Processes([node.process.pid, node.recorder.pid]), cameras, NODE_SECONDS)
    node.stop_ss()
    lost = sum(node.lost(f"cam{n}") for n in range(NODE_CAMERAS))
    record(Figure("node: cores for 100 recorded and 20 watched", seen.cpu / NODE_SECONDS, MUST, 1.0))
    record(Figure("node: pictures lost in recordings", lost, MUST, 0))
    record(Figure("node: pictures lost by viewers", seen.lost, MUST, 0))
    record(Figure("node: latency ms p99 of the watched", percentile(seen.latency, 0.99), MUST, 200))
    progress(f"  {seen.memory:.0f} MB; cameras late by {seen.late:.0f} ms at most")
    assert lost == 0
    assert seen.lost == 0
    assert seen.cpu / NODE_SECONDS <= 1.0
