"""The embedded corpus: songs composed and rendered by code, in MUSDB18-HQ's layout.

    make_corpus()                          # 24 songs below data/synthetic, a minute at most
    compose_songs("band/train", 40, 9000)  # more of them, in all genres
    song = compose_song("rock", 6, seed=1) # one song for an experiment
    signals = render.render_song(song)     # {"mixture": (sample, channel), "vocals": ..., ...}

Modules follow the way of a song: `styles` (the genres), `compose` with `harmony`, `rhythm_section`,
`comping` and `melody` (notes), `sampler` and `voice` (sound), `render` (the mixing desk), `songs` and
`build` (the corpus). `render` is imported when a song is rendered, and not to open a corpus that is there.
"""

from dann_lib.synthetic.build import compose_entry, compose_songs, is_complete, make_corpus
from dann_lib.synthetic.compose import compose_song
from dann_lib.synthetic.score import Song
from dann_lib.synthetic.songs import SONGS

__all__ = ["SONGS", "Song", "compose_entry", "compose_song", "compose_songs", "is_complete", "make_corpus"]
