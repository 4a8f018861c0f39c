"""Where a bench leaves its figures, for `./dss bench` to print."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Figure:
    """What was measured, ours and a peer's (or the bound's); lower is better."""

    figure: str
    ours: float
    peer_name: str
    peer: float

    @property
    def ratio(self) -> float | None:
        """Ours divided by the peer's; None beside a peer's zero."""
        return self.ours / self.peer if self.peer else None


def record(figure: Figure) -> None:
    """Keep a figure, once it is known."""
    row = asdict(figure) | {"ratio": figure.ratio}
    if name := os.environ.get("DSS_BENCH_RATIOS"):
        with Path(name).open("a") as results:
            results.write(json.dumps(row) + "\n")
    print(row)
