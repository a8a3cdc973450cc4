"""Figures say and draw what the network, the song, the history and the scores are."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.image import imread

from dann_lib import figures, report, spectrogram
from dann_lib.baselines import DeepAutoEncoder, DenoisingAutoEncoder, FeedForward
from dann_lib.figures.tracing import concat_number
from dann_lib.network import DANN


def texts(drawing: figures.Drawing) -> list[str]:
    return [text.get_text() for axis in drawing.figure.axes for text in axis.texts]


def history(train: list[float], test: list[float]) -> pd.DataFrame:
    epochs = range(1, len(train) + 1)
    return pd.DataFrame({"epoch": epochs, "update": epochs, "seconds": epochs, "train_loss": train, "test_loss": test})


def scores(value: float = 1.0) -> pd.DataFrame:
    rows = [(f"song {song}", source, metric, value + song + offset)
            for song in range(5) for source in report.SOURCES
            for metric, offset in (("sdr", 0.0), ("sir", 10.0), ("sar", 5.0), ("sdr_v4", 99.0))]
    return pd.DataFrame(rows, columns=["song", "source", "metric", "value"]).assign(run="dann", rate_hz=8820)


def every_drawing() -> dict[str, figures.Drawing]:
    planes = spectrogram.stft(torch.sin(torch.arange(9000) * 0.3))
    run = history([3, 2, 1], [3, 2.5, 2.8])
    return {
        "1": figures.figure_1(DANN()), "2": figures.figure_2(planes, planes * 0.5, "drums"),
        "3": figures.figure_3(DANN(skips=())), "4": figures.figure_4(DANN()),
        "5": figures.figure_5({"Concat 1": run}), "6": figures.figure_6({"Concat 2": run}),
        "7": figures.figure_7({"Concat 3": run}), "8": figures.figure_8(run), "9": figures.figure_9(scores()),
        "waveforms": figures.waveforms({"mixture": np.ones(10)}), "bars": figures.bars({"vocals": 1.0}, "dB"),
        "spectrograms": figures.spectrograms({"a": planes, "b": planes}),
        "curves": figures.curves({"a": ([1, 2], [3, 4])}, "x", "y", "A line."),
    }


DRAWINGS = every_drawing()


@pytest.mark.parametrize("name", DRAWINGS)
def test_every_figure_is_described_in_alt_and_visible_text(name):
    page = DRAWINGS[name]._repr_html_()
    description = DRAWINGS[name].description
    assert len(description) > 5
    alt, caption = re.search(r'alt="([^"]+)"', page)[1], re.search(r"<figcaption[^>]*>([^<]+)</figcaption>", page)[1]
    assert alt == caption
    panels = [imread(io.BytesIO(base64.b64decode(png))) for png in re.findall(r"base64,([^\"]+)", page)]
    assert sum(panel.shape[1] for panel in panels) == 700 and len({panel.shape[0] for panel in panels}) == 1
    assert len(panels) == {"9": 3}.get(name, len(panels))


def test_a_figure_without_words_is_refused():
    figure, _ = figures.canvas()
    with pytest.raises(ValueError, match="no description"):
        figures.show(figure, "  ")


def test_the_same_numbers_give_the_same_bytes():
    assert figures.figure_3(DeepAutoEncoder()).png() == figures.figure_3(DeepAutoEncoder()).png()


@pytest.mark.parametrize("skips", [(), (1,), (2, 3), (1, 2, 3, 4)])
def test_skip_connections_are_found_in_the_numbers(skips):
    found = figures.stages(figures.trace(DANN(skips=skips), n_bins=65, n_frames=32))
    assert sorted(concat_number(found, stage) for stage in found if stage.skip is not None) == list(skips)


def test_channels_and_skips_in_figure_1_are_those_of_the_layers():
    network = DANN(channels=(5, 7, 11, 13), bottleneck=3, skips=(2,))
    drawing = figures.figure_1(network)
    written = " ".join(texts(drawing))
    assert [name for name in texts(drawing) if name.startswith("Concat")] == ["Concat 2"]
    assert "Concat 2." in drawing.description
    for n_maps, bins, frames in ((5, 1025, 88), (7, 512, 44), (11, 256, 22), (13, 128, 11), (3, 64, 5)):
        assert f"{n_maps} maps, {bins} × {frames}" in written
    convolutions = [each for each in network.modules() if isinstance(each, torch.nn.Conv2d)]
    traced = sorted((layer.n_in, layer.n_out) for layer in figures.trace(network))
    assert traced == sorted((each.in_channels, each.out_channels) for each in convolutions)


def test_tracing_leaves_the_network_as_it_was():
    network = DANN()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    figures.trace(network, n_bins=65, n_frames=32)
    assert network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not any(module._forward_hooks for module in network.modules())


def test_figures_draw_what_they_are_for_and_refuse_others_with_advice():
    assert "32\nunits" in texts(figures.figure_3(DeepAutoEncoder()))
    assert "layer 2 is concatenated with layer 8" in figures.figure_4(DANN(skips=(3,))).description
    with pytest.raises(ValueError, match=r"Concat 1 and 3.*figure_4"):
        figures.figure_3(DANN(skips=(1, 3)))
    with pytest.raises(ValueError, match="figure_3"):
        figures.figure_1(FeedForward())
    with pytest.raises(ValueError, match="several paths"):
        figures.figure_4(DenoisingAutoEncoder())
    one = DenoisingAutoEncoder().auto_encoders[0]
    assert [layer.n_out for layer in figures.trace(one)] == [12, 20, 30, 40, 30, 20, 12, 2]


def test_figure_2_states_how_much_energy_the_mask_keeps():
    planes = torch.randn(2, 1025, 20)
    assert "keeps 25% of" in figures.figure_2(planes, planes * 0.5, "bass").description
    with pytest.raises(ValueError, match="must be equal"):
        figures.figure_2(planes, planes[..., 1:], "bass")


def test_figure_8_marks_the_lowest_test_loss():
    drawing = figures.figure_8(history([5, 4, 3, 2], [5, 3.5, 3.75, 4]))
    assert "lowest 3.5 in epoch 2" in drawing.description
    circle = drawing.figure.axes[0].lines[-1]
    assert (circle.get_xdata()[0], circle.get_ydata()[0]) == (2, 3.5)


def test_several_seeds_give_a_mean_and_a_band():
    drawing = figures.figure_5({"Concat 1": [history([2, 1], [0, 0]), history([4, 3], [0, 0])]})
    axis = drawing.figure.axes[0]
    assert list(axis.lines[0].get_ydata()) == [3, 2]
    assert len(axis.collections) == 1


def test_figures_5_and_6_show_different_losses():
    runs = {"a": history([2, 1], [8, 7])}
    assert list(figures.figure_5(runs).figure.axes[0].lines[0].get_ydata()) == [2, 1]
    assert list(figures.figure_6(runs).figure.axes[0].lines[0].get_ydata()) == [8, 7]
    with pytest.raises(ValueError, match="no histories"):
        figures.figure_7({})
    with pytest.raises(ValueError, match="no epochs"):
        figures.figure_8(runs["a"][:0])


def test_figure_9_draws_each_song_and_states_the_medians_of_one_run():
    table = scores()
    drawing = figures.figure_9(table)
    assert "vocals SIR 13.0, SDR 3.0 and SAR 8.0 dB (5 songs)" in drawing.description
    assert [axis.get_title("left") for axis in drawing.figure.axes] == ["(a) vocals", "(b) drums", "(c) bass"]
    table.loc[0, "value"] = np.inf
    assert "left out: 1" in figures.figure_9(table).description
    with pytest.raises(ValueError, match="several values of run"):
        figures.figure_9(pd.concat([table, table.assign(run="mixture")]))


def test_spectrograms_share_one_scale_whatever_their_level():
    planes = spectrogram.stft(torch.randn(9000, generator=torch.Generator().manual_seed(0)))
    drawing = figures.spectrograms({"loud": planes, "20 dB less": planes * 0.1})
    loud, quiet = (axis.images[0].get_array() for axis in drawing.figure.axes[:2])
    assert loud.max() == pytest.approx(0, abs=1e-4)
    assert quiet.max() == pytest.approx(-20, abs=1e-3)
    assert drawing.figure.axes[0].images[0].get_clim() == figures.DB_LIMITS


def test_a_tone_stands_at_its_frequency():
    tone = torch.sin(2 * torch.pi * 1000 * torch.arange(44100) / report.SAMPLE_RATE)
    image = figures.spectrograms({"tone": spectrogram.stft(tone)}).figure.axes[0].images[0]
    row = int(np.argmax(image.get_array()[:, 10]))
    bottom, top = image.get_extent()[2:]
    assert bottom + (row + 0.5) * (top - bottom) / report.N_BINS == pytest.approx(1000, abs=2.2)


def test_save_writes_the_file_and_leaves_no_other(tmp_path):
    DRAWINGS["bars"].save(tmp_path / "bars.svg")
    assert [path.name for path in tmp_path.iterdir()] == ["bars.svg"]
    assert "<svg" in (tmp_path / "bars.svg").read_text()
