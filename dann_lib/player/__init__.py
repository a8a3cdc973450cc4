"""Audio and interactive pictures that play everywhere: without a kernel, in a page, from the file system.

`audio` and `tracks` are plain sounds, `stems` plays a song's sources in several versions; a `Frame` holds a whole ES
module of this folder with its data.
Nothing is normalised, so that what is quieter sounds quieter.
"""

from __future__ import annotations

from dann_lib.player.clips import MP3_RATES, Clip, Clips, audio, tracks
from dann_lib.player.explore_results import network_explorer, songs_explorer
from dann_lib.player.explore_sound import mask_explorer, stft_explorer
from dann_lib.player.frame import Explorer, Frame
from dann_lib.player.stems import stems

__all__ = [
    "MP3_RATES", "Clip", "Clips", "Explorer", "Frame", "audio", "mask_explorer", "network_explorer", "songs_explorer",
    "stems", "stft_explorer", "tracks",
]
