"""What the explorers of results hand to the page is what the network, the histories and the scores are."""

from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from PIL import Image
from torch.nn import functional

from dann_lib import player, report, spectrogram
from dann_lib.baselines import FeedForward
from dann_lib.evaluation import summarise
from dann_lib.network import DANN, up_sample
from dann_lib.player.network_data import N_LEVELS, peaks
from dann_lib.reproduce.evidence import Evidence


def planes(seconds: float = 10.2) -> torch.Tensor:
    time = torch.arange(int(seconds * report.SAMPLE_RATE)) / report.SAMPLE_RATE
    song = 0.2 * torch.sin(2 * torch.pi * 440 * time) * (time > 5) + 0.1 * torch.sin(2 * torch.pi * 110 * time)
    return spectrogram.stft(song)[..., : report.N_FRAMES] * report.GAIN


def random_dann(**options) -> DANN:
    torch.manual_seed(0)
    return DANN(**options).eval()


def stage(explorer: player.Explorer, name: str) -> dict:
    return next(each for each in explorer.frame.data["stages"] if each["name"] == name)


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    return Evidence.stored()


@pytest.fixture(scope="module")
def network_explorer() -> player.Explorer:
    return player.network_explorer(random_dann(), planes())


@pytest.fixture(scope="module")
def real_songs(evidence) -> player.Explorer:
    return player.songs_explorer(evidence.scores[evidence.scores["rate_hz"] == 8820], run="dann-modern")


# The network


def test_maps_are_those_of_the_layers(network_explorer):
    network, features = random_dann(), planes()[None]
    with torch.inference_mode():
        encoded = []
        for block in network.encoder:
            encoded.append(block(features))
            features = network.pool(encoded[-1])
        bottleneck = network.bottleneck(features)
        joined = torch.cat((up_sample(bottleneck, encoded[3].shape[-2:]), encoded[3]), dim=1)
        decoded = network.decoder[3](joined)
    expected = {"Encoder 1": encoded[0], "Encoder 4": encoded[3], "Bottleneck": bottleneck, "Decoder 4": decoded}
    for name, maps in expected.items():
        found = stage(network_explorer, name)
        assert (found["n_planes"], found["bins"], found["frames"]) == tuple(maps.shape[1:])
        for each in found["maps"]:
            own = maps[0, int(each["name"].removeprefix("map ")) - 1]
            assert each["high"] == pytest.approx(float(own.max()), rel=1e-5)
            assert each["zero"] == pytest.approx(float((own == 0).float().mean()))


def test_masks_and_estimates_are_those_of_the_network(network_explorer):
    with torch.inference_mode():
        masks = random_dann()(planes()[None])[0]
    found = stage(network_explorer, "Masks M")
    assert [each["name"] for each in found["maps"]][:2] == ["vocals, real part", "vocals, imaginary part"]
    assert [each["low"] for each in found["maps"]] == pytest.approx(masks.amin(dim=(2, 3)).flatten().tolist(), rel=1e-5)
    magnitudes = torch.cat((masks * planes(), planes()[None])).norm(dim=1)
    levels = 20 * torch.log10(magnitudes.amax(dim=(1, 2)) / magnitudes.max())
    estimates = stage(network_explorer, "Estimates")
    assert [each["name"] for each in estimates["maps"]] == [*report.SOURCES, "mixture"]
    assert [each["high"] for each in estimates["maps"]] == pytest.approx(levels.tolist(), abs=1e-3)


def test_pictures_show_the_values_at_their_place(network_explorer):
    found = stage(network_explorer, "Encoder 3")
    with torch.inference_mode():
        network = random_dann()
        maps = network.encoder[2](network.pool(network.encoder[1](network.pool(network.encoder[0](planes()[None])))))[0]
    n_bins = round(2000 / found["bin_hz"])
    sheet = np.asarray(Image.open(io.BytesIO(base64.b64decode(found["sheet"]))))
    for index, each in enumerate(found["maps"]):
        own = maps[int(each["name"].removeprefix("map ")) - 1, :n_bins]
        picture = sheet[index * found["height"] : (index + 1) * found["height"]][::-1]
        assert picture.shape == (64, 22)
        limit = float(np.quantile(peaks(maps[[int(m["name"][4:]) - 1 for m in found["maps"]], :n_bins]), 0.998))
        value = functional.adaptive_max_pool2d(own[None], picture.shape)[0].clamp(max=limit)
        assert np.abs(picture - (N_LEVELS - 1) * torch.sqrt(value / limit).numpy()).max() <= 0.51


def test_small_pictures_keep_the_value_farthest_from_zero():
    plane = torch.zeros(1, 128, 8)
    plane[0, 0, 0], plane[0, 3, 5] = -2.0, 1.0
    small = peaks(plane)
    assert small.shape == (1, 64, 8)
    assert (small[0, 0, 0], small[0, 1, 5], small.abs().sum()) == (-2, 1, 3)


def test_resolution_halves_with_each_pooling(network_explorer):
    for depth, name in enumerate(("Encoder 1", "Encoder 2", "Encoder 3", "Encoder 4", "Bottleneck")):
        found = stage(network_explorer, name)
        assert found["bin_hz"] == pytest.approx(2**depth * 8820 / 2048)
        assert found["frame_s"] == pytest.approx(2**depth * 1024 / 8820)
        assert found["top_hz"] == pytest.approx(2000, abs=found["bin_hz"])


@pytest.mark.parametrize("skips", [(), (2,), (1, 2, 3), (1, 2, 3, 4)])
def test_skip_connections_stand_in_the_row_of_their_stages(skips):
    data = player.network_explorer(random_dann(skips=skips), planes(3), n_maps=2).frame.data
    found = {each["name"]: each["row"] for each in data["links"] if each["skip"]}
    assert found == {f"Concat {skip}": 2 + report.N_POOLINGS - skip for skip in skips}
    rows = {each["name"]: each["row"] for each in data["stages"]}
    assert all(rows[f"Decoder {5 - skip}"] == rows[f"Encoder {5 - skip}"] == found[f"Concat {skip}"] for skip in skips)


def test_the_most_varied_maps_are_shown_in_their_order():
    network = random_dann()
    found = stage(player.network_explorer(network, planes(), n_maps=3), "Bottleneck")
    features = planes()[None]
    with torch.inference_mode():
        for block in network.encoder:
            features = network.pool(block(features))
        order = network.bottleneck(features)[0].flatten(1).var(dim=1).argsort(descending=True)
    assert [each["name"] for each in found["maps"]] == [f"map {index + 1}" for index in sorted(order[:3].tolist())]


def test_the_network_stays_as_it_was_and_the_page_small():
    network = random_dann().train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    page = player.network_explorer(network, planes()).frame._repr_html_()
    assert len(page) < 300_000
    assert network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_what_is_no_u_and_no_song_is_refused():
    with pytest.raises(ValueError, match="FeedForward is no U-net"):
        player.network_explorer(FeedForward(), planes())
    with pytest.raises(ValueError, match=r"\(1, 2, 1025, 88\); expected \(part, freq, frame\)"):
        player.network_explorer(DANN(), planes()[None])


# Songs


def test_scores_and_intervals_are_those_of_the_tables(evidence, real_songs):
    data = json.loads(real_songs.frame._json())
    assert len(data["songs"]) == 50
    summary = summarise(evidence.scores[evidence.scores["run"].isin(["dann-modern", "mixture"])])
    summary = summary[summary["rate_hz"] == 8820].set_index(["run", "source", "metric"])
    scores = evidence.scores[(evidence.scores["run"] == "dann-modern") & (evidence.scores["rate_hz"] == 8820)]
    scores = scores.pivot(index=["metric", "song"], columns="source", values="value")
    for source in data["sources"]:
        for metric in ("SIR", "SDR", "SAR"):
            found = source["metrics"][metric]
            table = scores.loc[metric.lower()].loc[data["songs"], source["name"]]
            assert found["values"] == table.tolist()
            row = summary.loc[("dann-modern", source["name"], metric.lower())]
            assert [found[key] for key in ("median", "low", "high")] == row[["median", "low", "high"]].tolist()
            behind = summary.loc[("mixture", source["name"], metric.lower()), "median"]
            assert found["behind"][0]["median"] == behind
    assert [each["words"] for each in data["behind"]] == ["the untouched mixture", "the ideal ratio mask"]
    assert data["sounds"] == {}


def tiny_scores(**changes) -> pd.DataFrame:
    rows = [("yours", f"song {song}", source, 8820, metric, 1.0 * song)
            for song in range(3) for source in report.SOURCES for metric in ("sdr", "sir", "sar")]
    table = pd.DataFrame(rows, columns=["run", "song", "source", "rate_hz", "metric", "value"])
    return table.assign(**changes)


def test_sounds_keep_level_and_length():
    time = np.arange(8820) / 8820
    truth = np.stack([0.4 * np.sin(2 * np.pi * hz * time) for hz in (440, 880, 110, 1000)])
    sounds = player.songs_explorer(tiny_scores(), {"song 1": (truth[:3] / 4, truth)}).frame.data["sounds"]
    assert list(sounds) == ["song 1"]
    assert list(sounds["song 1"]) == list(report.SOURCES)
    for index, source in enumerate(report.SOURCES):
        for mp3, expected in zip(sounds["song 1"][source], (truth[index] / 4, truth[index]), strict=True):
            samples, rate = soundfile.read(io.BytesIO(mp3))
            assert len(samples) / rate == pytest.approx(1, abs=2 * 1152 / rate)
            assert np.std(samples) == pytest.approx(np.std(expected), rel=0.06)


def test_scores_that_are_not_finite_are_left_out_and_counted():
    table = tiny_scores()
    table.loc[0, "value"] = np.nan
    data = player.songs_explorer(table).frame.data
    assert data["left_out"] == 1
    assert data["sources"][0]["metrics"]["SDR"]["values"] == [None, 1.0, 2.0]


def test_scores_that_are_not_clear_are_refused():
    both = pd.concat([tiny_scores(), tiny_scores(run="other")])
    with pytest.raises(ValueError, match="found yours and other among yours and other; give `run`"):
        player.songs_explorer(both)
    with pytest.raises(ValueError, match="found none among yours"):
        player.songs_explorer(tiny_scores(), run="theirs")
    with pytest.raises(ValueError, match="several sample rates"):
        player.songs_explorer(pd.concat([tiny_scores(), tiny_scores(rate_hz=44100)]))
    with pytest.raises(ValueError, match="sounds but no scores of song 9"):
        player.songs_explorer(tiny_scores(), {"song 9": (np.ones((3, 9)), np.ones((3, 9)))})
    with pytest.raises(ValueError, match=r"song 1 have shapes \(3, 9\) and \(3, 8\)"):
        player.songs_explorer(tiny_scores(), {"song 1": (np.ones((3, 9)), np.ones((3, 8)))})


# Both


def test_each_has_a_still_picture_with_words(network_explorer, real_songs):
    for explorer in (network_explorer, real_songs):
        page = explorer._repr_html_()
        assert page.count("<iframe") == 1
        still = page[page.index("data-still") :]
        assert re.search(r'<img alt="[^"]{40,}" src="data:image/png;base64,', still)
        assert len(explorer.frame.description) > 80


def test_nothing_is_fetched(real_songs):
    for path in (Path(player.__file__).parent / "js").glob("*.js"):
        code = path.read_text(encoding="utf-8")
        assert set(re.findall(r"https?://[^\s\"'`]+", code)) <= {"http://www.w3.org/2000/svg"}
        assert not re.search(r"\bfetch\(|XMLHttpRequest|importScripts", code)
    assert not re.search(r"(src|href)=[\"']?https?:|url\(https?:", real_songs.frame.document())
