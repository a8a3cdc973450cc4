"""What distinguishes the genres: tempo, harmony, drum patterns, bass figures, instruments, voices.

Drum rows hold one character per sixteenth note: `X` accent, `x` normal, `o` soft (a ghost note on the
snare), `.` rest. Rows of riffs: `X` held power chord, `x` palm-muted, `.` rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dann_lib.synthetic.score import Voice

DrumRows = Mapping[str, str]
"""One bar of drums: instrument → 16 steps."""

TEMPI = {4: (89, 94), 5: (111, 118), 6: (133, 142), 7: (155, 165), 8: (177, 189)}
"""Bars → range of tempi in beats per minute, all giving 10.1 to 10.85 s of music."""


@dataclass(frozen=True)
class PartStyle:
    """How an instrument of `other` is played.

    Attributes:
        name: of the instrument.
        role: one of "strum", "comp", "pad", "riff", "arpeggio", "lead", "stab"; see `comping`.
        program: General MIDI program from 0.
        centre: MIDI pitch around which it plays.
        gain_db, pan, room, drive, ducked: see `score.Part`.
    """

    name: str
    role: str
    program: int
    centre: int
    gain_db: float = 0.0
    pan: float = 0.0
    room: float = 0.15
    drive: float = 0.0
    ducked: bool = False


@dataclass(frozen=True)
class Style:
    """A genre.

    Attributes:
        bars: lengths to draw from, keys of `TEMPI`.
        modes: to draw the key's scale from.
        progressions: by mode; (verse, chorus) pairs of Roman numerals.
        drum_patterns: (verse, chorus) pairs; an intro is played like a verse.
        kits: General MIDI drum kits.
        bass_programs: General MIDI programs.
        bass_figures: (verse, chorus) pairs of figures; see `rhythm_section`.
        parts: instruments of `other`; the first one always plays, the rest join in drawn order.
        voices: to draw from.
        timing_ms: standard deviation of the players' timing.
        levels_db: root mean square of the stems relative to the vocals.
        riffs: rows of 16 steps for guitars in riff, bass that follows them, and nothing else.
    """

    bars: tuple[int, ...]
    modes: tuple[str, ...]
    progressions: dict[str, tuple[tuple[str, str], ...]]
    drum_patterns: tuple[tuple[DrumRows, DrumRows], ...]
    kits: tuple[int, ...]
    bass_programs: tuple[int, ...]
    bass_figures: tuple[tuple[str, str], ...]
    parts: tuple[PartStyle, ...]
    voices: tuple[Voice, ...]
    timing_ms: float
    levels_db: dict[str, float]
    riffs: tuple[str, ...] = ("",)


_FEMALE = Voice("female voice", 57, 74, 1.16, 0.10, -1.0, 0.00, 5.6, 38.0, True)
_AIRY = Voice("airy female voice", 58, 75, 1.18, 0.28, -3.0, 0.00, 5.2, 24.0, True)
_TENOR = Voice("tenor voice", 50, 68, 1.00, 0.07, 0.0, 0.10, 5.3, 42.0, True)
_BARITONE = Voice("baritone voice", 45, 63, 0.95, 0.06, -1.0, 0.05, 5.0, 34.0, False)
_ROUGH = Voice("rough tenor voice", 50, 67, 0.98, 0.16, 2.0, 0.55, 5.0, 26.0, True)

_EIGHTHS = "X.x.x.x.X.x.x.x."
_QUARTERS = "X...X...X...X..."
_SIXTEENTHS = "XoxoXoxoXoxoXoxo"
_BACKBEAT = "....X.......X..."

ROCK = Style(
    bars=(4, 5, 6),
    modes=("major", "minor"),
    progressions={
        "major": (("I V vi IV", "IV I V vi"), ("I bVII IV I", "vi IV I V"), ("I IV vi V", "IV V I I"),
                  ("I iii IV V", "I V IV V")),
        "minor": (("i bVII bVI bVII", "bVI bVII i i"), ("i bIII bVII iv", "bVI bIII bVII i"),
                  ("i iv bVI bVII", "i bVI bIII bVII")),
    },
    drum_patterns=(
        ({"kick": "X.....x.X.......", "snare": "....X..o.o..X..o", "hat": _EIGHTHS},
         {"kick": "X.....x.X.x.....", "snare": _BACKBEAT, "crash": "X.......x.......", "open": "..x.x.x...x.x.x."}),
        ({"kick": "X..x....x.X.....", "snare": "....X.o....oX...", "hat": _EIGHTHS},
         {"kick": "X..x..x.X.x.....", "snare": _BACKBEAT, "ride": _EIGHTHS}),
        ({"kick": "X.......X.x.....", "snare": "....X.......X.o.", "hat": "X.o.X.o.X.o.X.o."},
         {"kick": "X.x.....X.x...x.", "snare": "....X.......X..o", "open": _QUARTERS, "ride": "..x...x...x...x."}),
    ),
    kits=(0, 16),
    bass_programs=(33, 34),
    bass_figures=(("kick", "eighths"), ("eighths", "eighths"), ("kick", "walk")),
    parts=(
        PartStyle("electric guitar", "strum", 27, 55, 0.0, -0.35, 0.12, 1.6),
        PartStyle("rock organ", "pad", 18, 62, -4.0, 0.30, 0.20, 0.8),
        PartStyle("piano", "comp", 0, 62, -2.0, 0.45, 0.15),
        PartStyle("acoustic guitar", "strum", 25, 60, -2.0, 0.60, 0.12),
        PartStyle("lead guitar", "lead", 29, 69, -2.0, -0.10, 0.25, 4.0),
    ),
    voices=(_TENOR, _ROUGH, _FEMALE, _BARITONE),
    timing_ms=6.0,
    levels_db={"drums": -1.0, "bass": -2.0, "other": -1.0},
)

POP = Style(
    bars=(4, 5),
    modes=("major", "major", "minor"),
    progressions={
        "major": (("I V vi IV", "IV V iii vi"), ("Iadd9 vi IV V", "IVmaj7 V vi I"), ("vi IV I V", "IV I V vi"),
                  ("I iii vi IV", "ii V I vi")),
        "minor": (("i bVI bIII bVII", "bVI bVII i bIII"), ("i7 iv bVII bIII", "bVI bIII bVII i")),
    },
    drum_patterns=(
        ({"kick": "X.....x...x.....", "snare": _BACKBEAT, "hat": _SIXTEENTHS},
         {"kick": "X..x..x...x.....", "snare": "....X..o....X..o", "hat": _SIXTEENTHS,
          "tambourine": "x.x.X.x.x.x.X.x."}),
        ({"kick": "X.......X.......", "stick": _BACKBEAT, "hat": _EIGHTHS},
         {"kick": "X..x....X.x.....", "snare": _BACKBEAT, "clap": "....x.......x...", "hat": _SIXTEENTHS}),
        ({"kick": "X..x..X...x.x...", "snare": "....X..o.o..X...", "hat": "X.xoX.x.X.xoX.x."},
         {"kick": "X..x..X...x.x...", "snare": "....X..o.o..X..o", "ride": _EIGHTHS}),
    ),
    kits=(0, 8),
    bass_programs=(33, 39),
    bass_figures=(("held", "kick"), ("kick", "octaves"), ("kick", "walk")),
    parts=(
        PartStyle("piano", "comp", 0, 62, 0.0, -0.15, 0.18),
        PartStyle("acoustic guitar", "strum", 25, 60, -1.0, 0.55, 0.12),
        PartStyle("strings", "pad", 48, 67, -3.0, 0.20, 0.30),
        PartStyle("electric guitar", "arpeggio", 27, 64, -2.0, -0.60, 0.20),
        PartStyle("vibraphone", "stab", 11, 74, -4.0, 0.40, 0.25),
    ),
    voices=(_FEMALE, _AIRY, _TENOR, _BARITONE),
    timing_ms=5.0,
    levels_db={"drums": -2.0, "bass": -2.5, "other": -1.5},
)

METAL = Style(
    bars=(6, 7, 8),
    modes=("minor", "phrygian"),
    progressions={
        "minor": (("i5 i5 bVI5 bVII5", "bVI bVII i bIII"), ("i5 bIII5 i5 bVI5", "i bVI bIII bVII"),
                  ("i5 i5 iv5 bVI5", "bVI i bVII i")),
        "phrygian": (("i5 i5 bII5 i5", "bVI5 bVII5 i5 bII5"), ("i5 bII5 i5 bVII5", "i bVI bII bIII")),
    },
    drum_patterns=(
        ({"kick": "X.xxX.xxX.xxX.xx", "snare": _BACKBEAT, "hat": _QUARTERS},
         {"kick": "X.x.x.x.x.x.x.x.", "snare": _BACKBEAT, "crash": "X.......X.......", "ride": _QUARTERS}),
        ({"kick": "X.x...x.X.x...x.", "snare": _BACKBEAT, "hat": _EIGHTHS},
         {"kick": "X.x.X.x.X.x.X.x.", "snare": "..X...X...X...X.", "ride": _EIGHTHS}),
        ({"kick": "XxxxxxxxXxxxxxxx", "snare": "........X.......", "china": _QUARTERS},
         {"kick": "XxxxX.x.XxxxX.x.", "snare": _BACKBEAT, "crash": _QUARTERS}),
    ),
    kits=(16, 0),
    bass_programs=(34,),
    bass_figures=(("riff", "eighths"), ("riff", "riff")),
    riffs=("X.xxx.xxX.xxX.X.", "xxX.xxX.xxX.X.X.", "X..xx.xxX..xX.X.", "xxxxX...xxxxX.X."),
    parts=(
        PartStyle("rhythm guitar", "riff", 30, 45, 0.0, -0.65, 0.06, 6.0),
        PartStyle("second guitar", "riff", 29, 45, 0.0, 0.65, 0.06, 7.0),
        PartStyle("lead guitar", "lead", 30, 71, -2.0, 0.15, 0.25, 5.0),
        PartStyle("choir", "pad", 52, 62, -4.0, 0.0, 0.35),
        PartStyle("strings", "pad", 48, 69, -4.0, -0.25, 0.30),
    ),
    voices=(_ROUGH, _TENOR, _ROUGH, _FEMALE),
    timing_ms=4.0,
    levels_db={"drums": 0.5, "bass": -2.0, "other": 0.5},
)

ELECTRO = Style(
    bars=(5, 6),
    modes=("minor", "minor", "major"),
    progressions={
        "minor": (("i i bVI bVII", "bVI bVII i i"), ("i7 bVI bIII bVII", "i bIII bVII iv"),
                  ("i bVII iv bVI", "bVI bIII bVII i")),
        "major": (("I vi IV V", "vi IV I V"), ("IVmaj7 V vi iii", "IV I V vi")),
    },
    drum_patterns=(
        ({"kick": _QUARTERS, "clap": _BACKBEAT, "open": "..x...x...x...x.", "hat": "o.o.o.o.o.o.o.o."},
         {"kick": _QUARTERS, "clap": _BACKBEAT, "snare": _BACKBEAT, "open": "..X...X...X...X.", "hat": _SIXTEENTHS}),
        ({"kick": "X...X...X...X.x.", "snare": _BACKBEAT, "hat": "..X...X...X...X."},
         {"kick": _QUARTERS, "snare": _BACKBEAT, "open": "..X...X...X...X.", "tambourine": _SIXTEENTHS}),
        ({"kick": "X.....x...X.....", "snare": "....X..x.x..X...", "hat": _EIGHTHS},
         {"kick": "X.....x...X..x..", "snare": "....X..x.x..X..x", "hat": _SIXTEENTHS, "crash": "X..............."}),
    ),
    kits=(25, 24),
    bass_programs=(38, 39),
    bass_figures=(("offbeat", "octaves"), ("sixteenths", "sixteenths"), ("offbeat", "sixteenths")),
    parts=(
        PartStyle("saw chords", "stab", 81, 62, 0.0, 0.0, 0.22, ducked=True),
        PartStyle("warm pad", "pad", 89, 64, -2.0, 0.0, 0.30, ducked=True),
        PartStyle("square arpeggio", "arpeggio", 80, 72, -4.0, 0.50, 0.25),
        PartStyle("electric piano", "comp", 4, 62, -2.0, -0.45, 0.18),
        PartStyle("saw lead", "lead", 81, 74, -4.0, -0.20, 0.28),
    ),
    voices=(_AIRY, _FEMALE, _TENOR, _BARITONE),
    timing_ms=0.8,
    levels_db={"drums": 0.5, "bass": -1.0, "other": -1.0},
)

STYLES = {"rock": ROCK, "pop": POP, "metal": METAL, "electro": ELECTRO}
"""The genres of the embedded corpus."""
