"""The explorers of results in a browser: what is chosen is what is shown, by pointer and by keys, and what sounds."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
import torch

from dann_lib import player, report, spectrogram
from dann_lib.network import DANN
from dann_lib.reproduce.evidence import Evidence

ABLATION = {"Concat 1": "skips-1", "Concat 3": "skips-3", "Concat 2+3": "skips-2+3"}
TONES_HZ = {"vocals": 900.0, "drums": 2500.0, "bass": 200.0}


def decimal(value: float, digits: int = 1) -> str:
    return f"{value:.{digits}f}".replace("-", "−")


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    return Evidence.stored()


@pytest.fixture(scope="module")
def network_explorer() -> player.Explorer:
    torch.manual_seed(0)
    song = torch.sin(torch.arange(90_000) * 0.3) * torch.linspace(0, 1, 90_000)
    return player.network_explorer(DANN(skips=(2, 3)), spectrogram.stft(song)[..., :88] * report.GAIN)


@pytest.fixture(scope="module")
def curves_explorer(evidence) -> player.Explorer:
    return player.curves_explorer(
        {name: evidence.histories(run) for name, run in ABLATION.items()},
        {name: evidence.per_song(run) for name, run in ABLATION.items()},
        silence={subset: evidence.silence(subset, report.GAIN) for subset in ("train", "test")},
        shown=["Concat 1", "Concat 3"],
    )


@pytest.fixture(scope="module")
def real_songs(evidence) -> player.Explorer:
    return player.songs_explorer(evidence.scores[evidence.scores["rate_hz"] == 8820], run="dann-modern")


@pytest.fixture(scope="module")
def sounding_songs() -> player.Explorer:
    rows = [("yours", f"song {song}", source, 8820, metric, float((song * 7) % 5 + index))
            for song in range(5) for index, source in enumerate(report.SOURCES) for metric in ("sdr", "sir", "sar")]
    scores = pd.DataFrame(rows, columns=["run", "song", "source", "rate_hz", "metric", "value"])
    time = np.arange(2 * 8820) / 8820
    truth = np.stack([0.4 * np.sin(2 * np.pi * hz * time) for hz in TONES_HZ.values()])
    return player.songs_explorer(scores, {f"song {song}": (truth / 4, truth) for song in range(4)})


@pytest.fixture
def show(chromium, tmp_path):
    """Open an explorer as a page of its own, from the file system, and give back its frame once it runs."""
    contexts = []

    def open_page(explorer: player.Explorer, width: int = 900, before: str = "", scripts: bool = True):
        path = tmp_path / f"{len(contexts)}.html"
        head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        path.write_text(f"<!doctype html><html><head>{head}</head><body>{explorer._repr_html_()}</body></html>",
                        encoding="utf-8")
        context = chromium.new_context(viewport={"width": width, "height": 1000}, java_script_enabled=scripts)
        contexts.append(context)
        page = context.new_page()
        page.add_init_script(before)
        errors = []
        page.on("pageerror", lambda error: errors.append(error))
        page.goto(path.as_uri())
        if not scripts:
            return page
        frame = page.frames[1]
        frame.wait_for_selector("#root h3")
        assert not errors
        return frame

    yield open_page
    for context in contexts:
        context.close()


# The network


def test_a_click_on_a_stage_shows_its_maps(network_explorer, show):
    frame = show(network_explorer)
    stages = network_explorer.frame.data["stages"]
    for name in ("Encoder 3", "Bottleneck", "Masks M", "Estimates"):
        stage = next(each for each in stages if each["name"] == name)
        frame.get_by_role("radio", name=re.compile(f"^{name},")).click()
        heading = f"{name}: {stage['n_planes']} {stage['planes']} of {stage['bins']} bins × {stage['frames']} frames"
        assert frame.locator(".net-heading").inner_text() == heading
        names = [each["name"] for each in stage["maps"]]
        assert frame.locator(".net-map").all_inner_texts() == names
        frame.locator(".net-map").last.click()
        assert f"{name}, {names[-1]}: values from" in frame.locator(".net-caption").inner_text()
        assert f"{decimal(stage['bin_hz'])} Hz apart" in frame.locator(".net-resolution").inner_text()


def test_arrow_keys_follow_the_song_through_the_network(network_explorer, show):
    frame = show(network_explorer)
    names = [each["name"] for each in network_explorer.frame.data["stages"]]
    stages = frame.get_by_role("radiogroup", name="Stages of the network")
    assert stages.locator('[tabindex="0"]').count() == 1
    stages.locator('[tabindex="0"]').press("Home")
    for name in names[1:]:
        frame.locator(":focus").press("ArrowRight")
        assert stages.locator('[aria-checked="true"] b').inner_text() == name
        assert frame.locator(".net-heading").inner_text().startswith(f"{name}:")


def test_skip_connections_are_drawn_as_they_are(network_explorer, show):
    links = show(network_explorer).locator(".net-link").all_inner_texts()
    assert [re.search(r"Concat \d", link)[0] for link in links if "Concat" in link] == ["Concat 3", "Concat 2"]


def test_the_cross_says_time_and_frequency(network_explorer, show):
    frame = show(network_explorer)
    frame.get_by_role("radio", name=re.compile("^Encoder 1,")).click()
    stage = next(each for each in network_explorer.frame.data["stages"] if each["name"] == "Encoder 1")
    plot = frame.locator(".net-plot")
    plot.press("Home")
    place = re.search(r"Cross at ([\d.]+) s, (\d+) Hz", frame.locator(".net-caption").inner_text())
    assert float(place[1]) == pytest.approx(0.5 * stage["seconds"] / stage["width"], abs=0.01)
    plot.press("ArrowUp")
    higher = re.search(r"Cross at ([\d.]+) s, (\d+) Hz", frame.locator(".net-caption").inner_text())
    assert int(higher[2]) - int(place[2]) == pytest.approx(stage["top_hz"] / stage["height"], abs=1.01)
    box = plot.bounding_box()
    plot.hover(position={"x": box["width"] - 15, "y": 12})
    corner = re.search(r"Cross at ([\d.]+) s, (\d+) Hz", frame.locator(".net-caption").inner_text())
    assert float(corner[1]) > 0.97 * stage["seconds"]
    assert int(corner[2]) > 0.95 * stage["top_hz"]


# Losses


def rows(frame, selector: str) -> dict[str, list[str]]:
    found = [row.split("\t") for row in frame.locator(f"{selector} tbody tr").all_inner_texts()]
    return {cells[0].strip(): [cell.strip() for cell in cells[1:]] for cells in found}


def test_the_table_has_the_losses_of_the_chosen_epoch(curves_explorer, evidence, show):
    frame = show(curves_explorer)
    plot = frame.get_by_role("slider", name="Epoch")
    for key, epoch in (("End", 18), ("Home", 1), ("ArrowRight", 2), ("PageUp", 12)):
        plot.press(key)
        assert plot.get_attribute("aria-valuenow") == str(epoch)
        found = rows(frame, ".cur")
        assert list(found) == ["Concat 1", "Concat 3"]
        for name, (songs, mean, ends, _) in found.items():
            losses = evidence.losses(ABLATION[name])[:, epoch - 1]
            assert (songs, mean) == ("test songs", decimal(losses.mean()))
            assert ends == f"{decimal(losses.min())} to {decimal(losses.max())}"
            assert f"{name}, test songs, {mean}" in plot.get_attribute("aria-valuetext")


def test_variants_seeds_and_losses_can_be_chosen(curves_explorer, evidence, show):
    frame = show(curves_explorer)
    assert (frame.locator(".cur-plot .cur-line").count(), frame.locator(".cur-band").count()) == (2, 2)
    frame.get_by_role("checkbox", name="Concat 2+3").check()
    frame.get_by_role("checkbox", name="Concat 1").uncheck()
    frame.get_by_role("checkbox", name="seed 0").uncheck()
    frame.get_by_role("checkbox", name="seed 2").press("Space")
    frame.get_by_role("checkbox", name="training songs").check()
    assert (frame.locator(".cur-plot .cur-line").count(), frame.locator(".cur-band").count()) == (4, 0)
    frame.get_by_role("slider", name="Epoch").press("End")
    cells = frame.locator(".cur tbody tr").all_inner_texts()
    for line, (name, column) in zip(cells, [(name, column) for name in ("Concat 3", "Concat 2+3")
                                            for column in ("train_loss", "test_loss")], strict=True):
        loss = evidence.losses(ABLATION[name], column)[1, -1]
        assert decimal(loss) in line.split("\t")[2]
    frame.get_by_role("checkbox", name="seed 1").uncheck()
    assert "Nothing is chosen" in frame.locator(".cur").inner_text()


def test_a_logarithmic_axis_moves_the_curves_and_is_refused_below_zero(curves_explorer, evidence, show):
    frame = show(curves_explorer)
    path = frame.locator(".cur-plot .cur-line").first
    before = path.get_attribute("d")
    frame.get_by_role("checkbox", name="logarithmic axis").check()
    assert path.get_attribute("d") != before
    modern = show(player.curves_explorer({"modern": evidence.histories("dann-modern")}))
    assert modern.get_by_role("checkbox", name="logarithmic axis: none").is_disabled()


def test_a_curve_leads_to_its_songs(curves_explorer, evidence, show):
    frame = show(curves_explorer)
    plot = frame.locator(".cur-plot")
    line = frame.locator(".cur-plot .cur-line").last
    end = [float(number) for number in line.get_attribute("d").rsplit("L", 1)[1].split(",")]
    plot.click(position={"x": end[0], "y": end[1]})
    assert frame.locator(".cur-songs h3").inner_text() == "Concat 3: SDR of 50 songs"
    table = evidence.per_song("skips-3")
    assert frame.locator(".cur-songs circle:not(.dots-chosen)").count() == 150
    medians = frame.locator('.cur-songs text[font-weight="600"]').all_text_contents()
    assert medians == [decimal(table[source].median()) for source in report.SOURCES]
    frame.get_by_role("button", name="Concat 1").press("Enter")
    assert frame.locator(".cur-songs h3").inner_text() == "Concat 1: SDR of 50 songs"
    assert frame.locator(":focus").inner_text() == "Concat 1"
    dots = frame.get_by_role("slider", name=re.compile("^Song"))
    dots.press("End")
    song = evidence.per_song("skips-1")["vocals"].idxmax()
    assert song in dots.get_attribute("aria-valuetext")
    found = rows(frame, ".cur-song")
    for name in ("Concat 1", "Concat 3"):
        assert found[name] == [decimal(value) for value in evidence.per_song(ABLATION[name]).loc[song]]


# Songs


def test_keys_go_from_song_to_song_in_order_of_the_score(real_songs, evidence, show):
    frame = show(real_songs)
    table = evidence.per_song("dann-modern").rename_axis("song").reset_index()
    order = table.sort_values("drums", kind="stable")["song"].tolist()
    panel = frame.get_by_role("slider", name=re.compile("^Song, drums"))
    panel.press("Home")
    for place, song in enumerate(order[:4], start=1):
        assert panel.get_attribute("aria-valuenow") == str(place)
        assert frame.locator(".sco-name").inner_text() == song
        panel.press("ArrowRight")
    panel.press("End")
    assert frame.locator(".sco-name").inner_text() == order[-1]
    cells = frame.locator(".sco-values tr.sco-own").all_inner_texts()
    for source, line in zip(report.SOURCES, cells, strict=True):
        values = [evidence.per_song("dann-modern", metric).loc[order[-1], source] for metric in ("sir", "sdr", "sar")]
        assert line.split("\t")[2:] == [decimal(value) for value in values]


def test_a_point_names_its_song(real_songs, show):
    frame = show(real_songs)
    data = real_songs.frame.data
    panel = frame.locator(".dots").nth(1)
    values = data["sources"][1]["metrics"]["SIR"]["values"]
    highest = int(np.argmax(values))
    dot = panel.locator("circle:not(.dots-chosen)").nth(highest)
    place = {"x": float(dot.get_attribute("cx")), "y": float(dot.get_attribute("cy"))}
    chosen = frame.locator(".sco-name").inner_text()
    panel.hover(position=place)
    assert frame.locator(".sco-name").inner_text() == data["songs"][highest]
    frame.locator("h3").first.hover()
    assert frame.locator(".sco-name").inner_text() == chosen
    panel.click(position=place)
    frame.locator("h3").first.hover()
    assert frame.locator(".sco-name").inner_text() == data["songs"][highest]
    assert frame.locator(".dots-chosen").count() == 9


def test_medians_stand_below_the_columns_and_real_songs_are_silent(real_songs, show):
    frame = show(real_songs)
    data = real_songs.frame.data
    expected = [decimal(each["median"]) for source in data["sources"] for each in source["metrics"].values()]
    assert frame.locator('.dots text[font-weight="600"]').all_text_contents() == expected
    assert frame.locator(".pair").count() == 0
    assert "the picture alone" in frame.locator(".sco").inner_text()


def test_the_table_has_every_song_and_chooses_it(real_songs, show):
    frame = show(real_songs)
    frame.get_by_text("All 50 songs as a table").click()
    assert frame.locator(".sco-list tbody tr").count() == 50
    data = real_songs.frame.data
    cells = frame.locator(".sco-list tbody tr").nth(7).inner_text().split("\t")
    expected = [decimal(each["values"][7]) for source in data["sources"] for each in source["metrics"].values()]
    assert [cell.strip() for cell in cells] == [data["songs"][7], *expected]
    frame.get_by_role("button", name=data["songs"][7], exact=True).click()
    assert frame.locator(".sco-name").inner_text() == data["songs"][7]


def position(frame) -> float:
    return float(frame.locator(".pair").get_attribute("data-position") or 0)


def test_a_click_on_a_point_plays_its_song(sounding_songs, show):
    frame = show(sounding_songs)
    panel = frame.locator(".dots").nth(2)
    dot = panel.locator("circle:not(.dots-chosen)").nth(2)
    panel.click(position={"x": float(dot.get_attribute("cx")), "y": float(dot.get_attribute("cy"))})
    frame.wait_for_function("Number(document.querySelector('.pair').dataset.position) > 0.1")
    assert frame.locator(".sco-name").inner_text() == "song 2"
    assert frame.locator(".pair select").input_value() == "bass"
    frame.get_by_role("button", name="Pause").click()
    stopped = position(frame)
    frame.wait_for_timeout(150)
    assert position(frame) == stopped


def test_estimate_and_truth_share_one_clock_and_keep_their_levels(sounding_songs, show):
    frame = show(sounding_songs, before=CAPTURE)
    frame.get_by_role("slider", name=re.compile("^Song, vocals")).press("Home")
    frame.locator(":focus").press("Space")
    frame.wait_for_function("window.loudest?.() > 0.05")
    quiet = frame.evaluate("window.loudest()")
    frame.locator(":focus").press("b")
    assert frame.get_by_role("button", name="B: truth").get_attribute("aria-pressed") == "true"
    frame.wait_for_function("window.loudest() > 0.3")
    assert frame.evaluate("window.loudest()") / quiet == pytest.approx(4, rel=0.15)
    starts = frame.evaluate("window.starts")
    assert len(starts) == 2
    assert starts[0] == starts[1]


def test_the_sound_goes_on_with_the_next_song(sounding_songs, show):
    frame = show(sounding_songs)
    frame.locator(".sco-name").wait_for()
    frame.get_by_label("Song", exact=True).select_option(label="song 0")
    frame.get_by_role("button", name="Play").click()
    frame.wait_for_function("Number(document.querySelector('.pair').dataset.position) > 0.05")
    panel = frame.get_by_role("slider", name=re.compile("^Song, vocals"))
    for key in ("Home", "ArrowRight", "ArrowRight"):
        panel.press(key)
    assert frame.locator(".sco-name").inner_text() == "song 1"
    frame.get_by_role("button", name="Pause").wait_for()
    frame.wait_for_function("Number(document.querySelector('.pair').dataset.position) > 0.05")


def test_a_song_without_sound_says_so(sounding_songs, show):
    frame = show(sounding_songs)
    frame.get_by_label("Song", exact=True).select_option(label="song 4")
    assert "No sound is stored" in frame.locator(".pair").inner_text()
    assert not frame.get_by_role("button", name="Play").is_visible()


CAPTURE = """
window.starts = [];
const start = AudioBufferSourceNode.prototype.start;
AudioBufferSourceNode.prototype.start = function (...when) {
  window.starts.push(when);
  return start.apply(this, when);
};
const connect = AudioNode.prototype.connect;
AudioNode.prototype.connect = function (to, ...rest) {
  if (to === this.context.destination) {
    window.meters ??= [];
    const meter = new AnalyserNode(this.context, { fftSize: 2048 });
    connect.call(this, meter);
    window.meters.push(meter);
    window.loudest = () => Math.max(...window.meters.map((each) => {
      const samples = new Float32Array(2048);
      each.getFloatTimeDomainData(samples);
      return Math.max(...samples.map(Math.abs));
    }));
  }
  return connect.call(this, to, ...rest);
};
"""


# All three


@pytest.mark.parametrize("name", ["network_explorer", "curves_explorer", "real_songs", "sounding_songs"])
@pytest.mark.parametrize("width", [375, 900])
def test_nothing_sticks_out_of_a_narrow_page(name, width, request, show):
    frame = show(request.getfixturevalue(name), width=width)
    assert frame.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_the_still_picture_gives_way_and_is_printed(real_songs, show):
    frame = show(real_songs)
    page = frame.page
    assert not page.locator("[data-still]").is_visible()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("[data-still] img").is_visible()
    assert not page.locator("iframe").is_visible()
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    page.locator("iframe").wait_for(state="visible")
    assert not page.locator("[data-still]").is_visible()


def test_without_scripts_the_still_picture_stands_there(real_songs, show):
    page = show(real_songs, scripts=False)
    assert page.locator("[data-still] img").is_visible()
