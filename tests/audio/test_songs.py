"""Names of songs, and the folders of their stems."""

from __future__ import annotations

import pytest

from dann_lib import report
from dann_lib.audio.songs import safe_name, stem_folder
from dann_lib.errors import OutputError


@pytest.mark.parametrize(("song", "folder"), [
    ("song.wav", "song"), ("a/Band - Song.stem.mp4", "Band - Song"), ("...wav", "song"), ("..wav", "song"),
    ("", "song"), (".. .mp3", "song"), ("a\\..\\b\n\0:c.wav", "a_.._b___c"), ("R.E.M..mp3", "R.E.M"),
    ("\udce9.mp3", "_"), ("é" * 300 + ".wav", "é" * 70),
])
def test_a_folders_name_is_one_part_of_a_path(song, folder):
    assert safe_name(song) == folder


def test_a_song_keeps_its_folder_and_no_other_gets_it(tmp_path):
    def put(name: str, origin: str) -> str:
        with stem_folder(tmp_path, name, origin, [], report.STEMS) as folder:
            (folder / "vocals.flac").touch()
        return folder.name

    (tmp_path / "song 3").write_text("in the way")
    assert [put("song.wav", origin) for origin in "ABACA"] == ["song", "song 2", "song", "song 4", "song"]
    assert put("song.mp3", "B") == "song 2"
    with stem_folder(tmp_path, "song", "D", [], report.STEMS) as folder:
        assert folder.name == "song 5"
    assert not folder.exists(), "no stems were made"
    (tmp_path / "song" / "bass.wav").mkdir()
    with pytest.raises(OutputError, match="there is a folder"), stem_folder(tmp_path, "song", "A", [], report.STEMS):
        pass
