"""Letters of five by seven dots, so that a camera's text needs neither fonts nor a text engine."""

from functools import cache

# One byte a column, left to right; the lowest bit is the top dot.
GLYPHS = {
    " ": "0000000000", "#": "147f147f14", "-": "0808080808", ".": "0060600000", ":": "0036360000",
    "0": "3e5149453e", "1": "00427f4000", "2": "4261514946", "3": "2141454b31", "4": "1814127f10",
    "5": "2745454539", "6": "3c4a494930", "7": "0171090503", "8": "3649494936", "9": "064949291e",
    "A": "7e1111117e", "B": "7f49494936", "C": "3e41414122", "D": "7f4141221c", "E": "7f49494941",
    "F": "7f09090901", "G": "3e4149497a", "H": "7f0808087f", "I": "00417f4100", "J": "2040413f01",
    "K": "7f08142241", "L": "7f40404040", "M": "7f020c027f", "N": "7f0408107f", "O": "3e4141413e",
    "P": "7f09090906", "Q": "3e4151215e", "R": "7f09192946", "S": "4649494931", "T": "01017f0101",
    "U": "3f4040403f", "V": "1f2040201f", "W": "3f4038403f", "X": "6314081463", "Y": "0708700807",
    "Z": "6151494543",
}  # fmt: skip
DARK, LIGHT = b"\x10", b"\xeb"


def line_height(scale: int) -> int:
    """Lines of pixels one line of text takes."""
    return 9 * scale


def write(text: str, scale: int) -> list[bytes]:
    """Lines of luma that show the text, light on dark, each dot `scale` pixels wide and high."""
    glyphs = [_glyph(letter, scale) for letter in text]
    lines = (b"".join(glyph[y] for glyph in glyphs) for y in range(9))
    return [line for line in lines for _ in range(scale)]


@cache
def _glyph(letter: str, scale: int) -> list[bytes]:
    columns = bytes.fromhex(GLYPHS.get(letter, GLYPHS[" "]))
    dots = [[column >> y & 1 for column in columns] + [0] for y in range(7)]
    empty = [0] * 6
    return [b"".join((LIGHT if dot else DARK) * scale for dot in row) for row in [empty, *dots, empty]]
