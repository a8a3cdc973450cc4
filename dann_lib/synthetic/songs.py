"""The songs of the embedded corpus: names, splits, genres and numbers of instruments.

The table is balanced, so that genre and number of instruments can be studied apart: every genre has
four training songs with 4, 5, 7 and 8 instruments and two test songs with 6 on average. One training
song per genre is kept for validation; across genres these have 4, 5, 7 and 8 instruments.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """One row of the table.

    Attributes:
        name: "Artist - Title"; bands and titles are invented, no band appears twice.
        split: "train", "valid" or "test".
        genre: a key of `styles.STYLES`.
        n_instruments: see `Song.n_instruments`.
    """

    name: str
    split: str
    genre: str
    n_instruments: int

    @property
    def folder(self) -> str:
        """Folder below the corpus' root; validation songs lie in `train`, as in MUSDB18."""
        return f"{'test' if self.split == 'test' else 'train'}/{self.name}"


SONGS = (
    Entry("Halfpast Otters - Window Seat", "train", "rock", 4),
    Entry("The Gravel Almanac - Nine Miles of Fence", "valid", "rock", 5),
    Entry("Tin Orchard Parade - Borrowed Radio", "train", "rock", 7),
    Entry("Mildred and the Toasters - Second Hand Sun", "train", "rock", 8),
    Entry("Postcard Hippo - Paper Umbrella", "valid", "pop", 4),
    Entry("Juno Marmalade - Tell the Lighthouse", "train", "pop", 5),
    Entry("Pocket Meridian Club - Slow Elevator", "train", "pop", 7),
    Entry("Ada Quillfeather - Almost Tuesday", "train", "pop", 8),
    Entry("Bonfire Actuary - Ledger of Ash", "train", "metal", 4),
    Entry("Wrought Iron Walrus - Cold Harbour Oath", "train", "metal", 5),
    Entry("Vault of Turnips - The Root Remembers", "train", "metal", 7),
    Entry("Ninth Anvil Choir - Furnace Psalm", "valid", "metal", 8),
    Entry("Modem Garden - Carrier Tone", "train", "electro", 4),
    Entry("Kilowatt Heron - Night Bus Geometry", "train", "electro", 5),
    Entry("Pixel Laundromat - Spin Cycle", "valid", "electro", 7),
    Entry("Ferrous Wheelhouse - Polar Transit", "train", "electro", 8),
    Entry("Loose Gutter Revue - Rain on the Amplifier", "test", "rock", 4),
    Entry("Captain Drizzle - Long Way to Harlow", "test", "rock", 8),
    Entry("Saffron Telegram - Kite Weather", "test", "pop", 5),
    Entry("The Velvet Abacus - Count Me Twice", "test", "pop", 7),
    Entry("Obsidian Teapot - Steam and Ruin", "test", "metal", 5),
    Entry("Grave Cartographer - Maps of the Drowned", "test", "metal", 7),
    Entry("Neon Barnacle - Undertow Protocol", "test", "electro", 4),
    Entry("Lumen Dispatch - Sodium Skyline", "test", "electro", 8),
)
"""Sixteen songs of the folder `train`, eight of `test`."""
