"""Sound beside the pictures: `chunk.loud` and `chunk.loud_init` for browsers, `chunk.heard` for recorders."""

from services.media.interleaved import packets
from services.mts import audio, fmp4_sound
from services.mts.chunk import RTP, Chunk, Heard, Init, payload
from services.mts.websocket import BINARY, message
from services.runtime.rtsp import Track

_SLACK = 0.1
_ASTRAY = 1.5
_LATE, _FILLED = 0.6, 0.4
_DRIFT = 0.2
_SMOOTH = 256
_MOST = 200
_WRAP = 1 << 32


class Sound:
    """One audio track as an unbroken row of samples on the time axis of the pictures.

    A browser stops at a hole in either track, so that silence stands where nothing came. Where a sample
    belongs follows from its RTP time; that clock is set by when samples arrive among the pictures, at first
    and whenever the two have come apart.
    """

    def __init__(self, track: Track, form: audio.Format, rate: int) -> None:
        """`rate`: ticks of the pictures' time axis in a second."""
        self._channel = track.channel
        self._format = form
        self._scale = form.rate / rate
        self._tick: int | None = None
        self._shift: int | None = None
        self._lag = 0.0
        self._sequence = 0
        self._row: list[tuple[int, bytes]] = []
        self._inits: tuple[Init, Init] | None = None

    def mux(self, chunk: Chunk) -> None:
        """Add what was heard before the end of this picture; the picture's own form has been made."""
        heard = self._hear(chunk)
        if heard is None or (live := chunk.live) is None:
            return
        chunk.loud_init = heard.init
        chunk.loud = live + self._fragment(heard) if heard.samples else live

    def keep(self, chunk: Chunk) -> None:
        """The same for a recorder, which puts many samples into one fragment."""
        chunk.heard = self._hear(chunk)

    def _hear(self, chunk: Chunk) -> Heard | None:
        if chunk.init is None:
            return None
        begin, row = self.row(chunk.data, int(chunk.shown * self._scale))
        return Heard(self._init(chunk.init), begin, self._format.rate, row)

    def row(self, data: bytes, now: int) -> tuple[int, list[tuple[int, bytes]]]:
        """Where the samples of these packets begin, and each with its duration, in ticks of the track.

        `now`: when they came, in the same ticks.
        """
        self._tick = now if self._tick is None else self._tick
        begin, self._row = self._tick, []
        for channel, packet in packets(data):
            if channel == self._channel and len(packet) > 12:
                self._take(packet, now)
        self._fill(now, _LATE, _FILLED)
        return begin, self._row

    def interrupted(self) -> None:
        """The camera was away: its clock says nothing any more."""
        self._shift = None

    def _take(self, packet: memoryview, now: int) -> None:
        _, _, _, timestamp, _ = RTP.unpack_from(packet)
        for number, sample in enumerate(self._format.samples(payload(packet), timestamp)):
            lasts = self._format.duration
            self._place(sample, (timestamp + number * lasts) % _WRAP, now, lasts)

    def _place(self, sample: bytes, timestamp: int, now: int, lasts: int) -> None:
        wanted = self._wanted(timestamp, now - lasts)
        slack = int(_SLACK * self._format.rate)
        if self._tick is None or wanted < self._tick - slack:
            return
        self._fill(wanted, _SLACK, 0.0)
        if len(self._row) < _MOST:
            self._row.append((lasts, sample))
            self._tick += lasts

    def _wanted(self, timestamp: int, heard: int) -> int:
        """Where a sample belongs that came at `heard`."""
        rate = self._format.rate
        off = 0
        if self._shift is not None:
            off = (timestamp + self._shift - heard + _WRAP // 2) % _WRAP - _WRAP // 2
        self._lag += (off - self._lag) / _SMOOTH
        if self._shift is None or abs(off) > _ASTRAY * rate or abs(self._lag) > _DRIFT * rate:
            self._shift, self._lag, off = heard - timestamp, 0.0, 0
        return heard + off

    def _fill(self, until: int, late: float, rest: float) -> None:
        """Silence up to `rest` seconds before `until`, if more than `late` is missing."""
        rate, lasts = self._format.rate, self._format.duration
        if self._tick is None or until - self._tick <= late * rate:
            return
        missing = min(int(until - rest * rate - self._tick) // lasts, _MOST - len(self._row))
        self._row += [(lasts, self._format.silence)] * missing
        self._tick += lasts * missing

    def _fragment(self, heard: Heard) -> bytes:
        self._sequence = (self._sequence + 1) & 0xFFFFFFFF
        return message(BINARY, fmp4_sound.fragment(self._sequence, heard.tick, heard.samples))

    def _init(self, silent: Init) -> Init:
        if self._inits is None or self._inits[0] is not silent:
            mime = f'{silent.mime[:-1]},{self._format.codec}"'
            segment = fmp4_sound.added(silent.segment, self._format.entry, self._format.rate)
            self._inits = silent, Init(mime, segment, silent.timescale, silent.sound)
        return self._inits[1]
