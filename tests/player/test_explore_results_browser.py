"""The explorers of results in a browser: what is chosen is what is shown, by pointer and by keys, and what sounds."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from dann_lib import player, report, spectrogram
from dann_lib.network import DANN

TONES_HZ = {"vocals": 900.0, "drums": 2500.0, "bass": 200.0}


def decimal(value: float, digits: int = 1) -> str:
    return f"{value:.{digits}f}".replace("-", "−")


@pytest.fixture(scope="module")
def network_explorer() -> player.Explorer:
    torch.manual_seed(0)
    song = torch.sin(torch.arange(90_000) * 0.3) * torch.linspace(0, 1, 90_000)
    return player.network_explorer(DANN(skips=(2, 3)), spectrogram.stft(song)[..., :88] * report.GAIN)


def scores_of(n_songs: int) -> pd.DataFrame:
    """Scores of a run, every song with values of its own, and not in the order of the songs."""
    rows = [("yours", f"song {song}", source, 8820, metric, (song * 7) % n_songs + at + column / 10)
            for song in range(n_songs) for at, source in enumerate(report.SOURCES)
            for column, metric in enumerate(("sdr", "sir", "sar"))]
    return pd.DataFrame(rows, columns=["run", "song", "source", "rate_hz", "metric", "value"])


@pytest.fixture(scope="module")
def silent_songs() -> player.Explorer:
    mixture = scores_of(12).assign(run="mixture", value=-4.0)
    return player.songs_explorer(pd.concat([scores_of(12), mixture]), run="yours")


@pytest.fixture(scope="module")
def sounding_songs() -> player.Explorer:
    time = np.arange(2 * 8820) / 8820
    truth = np.stack([0.4 * np.sin(2 * np.pi * hz * time) for hz in TONES_HZ.values()])
    return player.songs_explorer(scores_of(5), {f"song {song}": (truth / 4, truth) for song in range(4)})


def opened(share_page: Any, explorer: player.Explorer, before: str = "") -> Any:
    """The frame of an explorer once it runs."""
    frame = share_page(explorer._repr_html_(), before=before).frames[1]
    frame.wait_for_selector("#root h3")
    return frame


@pytest.fixture(scope="module")
def network(share_page, network_explorer) -> Any:
    return opened(share_page, network_explorer)


@pytest.fixture(scope="module")
def silent(share_page, silent_songs) -> Any:
    return opened(share_page, silent_songs)


@pytest.fixture(scope="module")
def sounding_page(share_page, sounding_songs) -> Any:
    return opened(share_page, sounding_songs, before=CAPTURE).page


@pytest.fixture
def sounding(sounding_page) -> Any:
    """The explorer with sounds as it is when it has just been opened."""
    sounding_page.reload()
    sounding_page.frames[1].wait_for_selector("#root h3")
    return sounding_page.frames[1]


# The network


def test_a_click_on_a_stage_shows_its_maps(network_explorer, network):
    stages = network_explorer.frame.data["stages"]
    for name in ("Encoder 3", "Bottleneck", "Masks M", "Estimates"):
        stage = next(each for each in stages if each["name"] == name)
        network.get_by_role("radio", name=re.compile(f"^{name},")).click()
        heading = f"{name}: {stage['n_planes']} {stage['planes']} of {stage['bins']} bins × {stage['frames']} frames"
        assert network.locator(".net-heading").inner_text() == heading
        names = [each["name"] for each in stage["maps"]]
        assert network.locator(".net-map").all_inner_texts() == names
        network.locator(".net-map").last.click()
        assert f"{name}, {names[-1]}: values from" in network.locator(".net-caption").inner_text()
        assert f"{decimal(stage['bin_hz'])} Hz apart" in network.locator(".net-resolution").inner_text()


def test_arrow_keys_follow_the_song_through_the_network(network_explorer, network):
    names = [each["name"] for each in network_explorer.frame.data["stages"]]
    stages = network.get_by_role("radiogroup", name="Stages of the network")
    assert stages.locator('[tabindex="0"]').count() == 1
    stages.locator('[tabindex="0"]').press("Home")
    for name in names[1:]:
        network.locator(":focus").press("ArrowRight")
        assert stages.locator('[aria-checked="true"] b').inner_text() == name
        assert network.locator(".net-heading").inner_text().startswith(f"{name}:")


def test_skip_connections_are_drawn_as_they_are(network_explorer, network):
    links = network.locator(".net-link").all_inner_texts()
    assert [re.search(r"Concat \d", link)[0] for link in links if "Concat" in link] == ["Concat 3", "Concat 2"]


def test_the_cross_says_time_and_frequency(network_explorer, network):
    network.get_by_role("radio", name=re.compile("^Encoder 1,")).click()
    stage = next(each for each in network_explorer.frame.data["stages"] if each["name"] == "Encoder 1")
    plot = network.locator(".net-plot")
    plot.press("Home")
    place = re.search(r"Cross at ([\d.]+) s, (\d+) Hz", network.locator(".net-caption").inner_text())
    assert float(place[1]) == pytest.approx(0.5 * stage["seconds"] / stage["width"], abs=0.01)
    plot.press("ArrowUp")
    higher = re.search(r"Cross at ([\d.]+) s, (\d+) Hz", network.locator(".net-caption").inner_text())
    assert int(higher[2]) - int(place[2]) == pytest.approx(stage["top_hz"] / stage["height"], abs=1.01)
    box = plot.bounding_box()
    plot.hover(position={"x": box["width"] - 15, "y": 12})
    corner = re.search(r"Cross at ([\d.]+) s, (\d+) Hz", network.locator(".net-caption").inner_text())
    assert float(corner[1]) > 0.97 * stage["seconds"]
    assert int(corner[2]) > 0.95 * stage["top_hz"]


# Songs


def test_keys_go_from_song_to_song_in_order_of_the_score(silent):
    table = scores_of(12).pivot(index="song", columns=["metric", "source"], values="value")
    order = table.sort_values(("sdr", "drums")).index.tolist()
    panel = silent.get_by_role("slider", name=re.compile("^Song, drums"))
    panel.press("Home")
    for place, song in enumerate(order[:4], start=1):
        assert panel.get_attribute("aria-valuenow") == str(place)
        assert silent.locator(".sco-name").inner_text() == song
        panel.press("ArrowRight")
    panel.press("End")
    assert silent.locator(".sco-name").inner_text() == order[-1]
    cells = silent.locator(".sco-values tr.sco-own").all_inner_texts()
    for source, line in zip(report.SOURCES, cells, strict=True):
        values = [table.loc[order[-1], (metric, source)] for metric in ("sir", "sdr", "sar")]
        assert line.split("\t")[2:] == [decimal(value) for value in values]


def test_a_point_names_its_song(silent_songs, silent):
    data = silent_songs.frame.data
    panel = silent.locator(".dots").nth(1)
    values = data["sources"][1]["metrics"]["SIR"]["values"]
    highest = int(np.argmax(values))
    dot = panel.locator("circle:not(.dots-chosen)").nth(highest)
    place = {"x": float(dot.get_attribute("cx")), "y": float(dot.get_attribute("cy"))}
    chosen = silent.locator(".sco-name").inner_text()
    panel.hover(position=place)
    assert silent.locator(".sco-name").inner_text() == data["songs"][highest]
    silent.locator("h3").first.hover()
    assert silent.locator(".sco-name").inner_text() == chosen
    panel.click(position=place)
    silent.locator("h3").first.hover()
    assert silent.locator(".sco-name").inner_text() == data["songs"][highest]
    assert silent.locator(".dots-chosen").count() == 9


def test_medians_stand_below_the_columns_and_songs_without_sound_are_silent(silent_songs, silent):
    data = silent_songs.frame.data
    expected = [decimal(each["median"]) for source in data["sources"] for each in source["metrics"].values()]
    assert silent.locator('.dots text[font-weight="600"]').all_text_contents() == expected
    assert silent.locator(".pair").count() == 0
    assert "the picture alone" in silent.locator(".sco").inner_text()


def test_the_table_has_every_song_and_chooses_it(silent_songs, silent):
    silent.get_by_text("All 12 songs as a table").click()
    assert silent.locator(".sco-list tbody tr").count() == 12
    data = silent_songs.frame.data
    cells = silent.locator(".sco-list tbody tr").nth(7).inner_text().split("\t")
    expected = [decimal(each["values"][7]) for source in data["sources"] for each in source["metrics"].values()]
    assert [cell.strip() for cell in cells] == [data["songs"][7], *expected]
    silent.get_by_role("button", name=data["songs"][7], exact=True).click()
    assert silent.locator(".sco-name").inner_text() == data["songs"][7]


def position(frame) -> float:
    return float(frame.locator(".pair").get_attribute("data-position") or 0)


def test_a_click_on_a_point_plays_its_song(sounding):
    panel = sounding.locator(".dots").nth(2)
    dot = panel.locator("circle:not(.dots-chosen)").nth(2)
    panel.click(position={"x": float(dot.get_attribute("cx")), "y": float(dot.get_attribute("cy"))})
    sounding.wait_for_function("Number(document.querySelector('.pair').dataset.position) > 0.1")
    assert sounding.locator(".sco-name").inner_text() == "song 2"
    assert sounding.locator(".pair select").input_value() == "bass"
    sounding.get_by_role("button", name="Pause").click()
    sounding.get_by_role("button", name="Play").wait_for()
    stopped = position(sounding)
    sounding.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert position(sounding) == stopped


def test_estimate_and_truth_share_one_clock_and_keep_their_levels(sounding):
    sounding.get_by_role("slider", name=re.compile("^Song, vocals")).press("Home")
    sounding.locator(":focus").press("Space")
    sounding.wait_for_function("window.loudest?.() > 0.05")
    quiet = sounding.evaluate("window.loudest()")
    sounding.locator(":focus").press("b")
    assert sounding.get_by_role("button", name="B: truth").get_attribute("aria-pressed") == "true"
    sounding.wait_for_function("window.loudest() > 0.3")
    assert sounding.evaluate("window.loudest()") / quiet == pytest.approx(4, rel=0.15)
    *_, estimate, truth = sounding.evaluate("window.starts")
    assert estimate == truth


def test_the_sound_goes_on_with_the_next_song(sounding):
    sounding.locator(".sco-name").wait_for()
    sounding.get_by_label("Song", exact=True).select_option(label="song 0")
    sounding.get_by_role("button", name="Play").click()
    sounding.wait_for_function("Number(document.querySelector('.pair').dataset.position) > 0.05")
    panel = sounding.get_by_role("slider", name=re.compile("^Song, vocals"))
    for key in ("Home", "ArrowRight", "ArrowRight"):
        panel.press(key)
    assert sounding.locator(".sco-name").inner_text() == "song 1"
    sounding.get_by_role("button", name="Pause").wait_for()
    sounding.wait_for_function("Number(document.querySelector('.pair').dataset.position) > 0.05")


def test_a_song_without_sound_says_so(sounding):
    sounding.get_by_label("Song", exact=True).select_option(label="song 4")
    assert "No sound is stored" in sounding.locator(".pair").inner_text()
    assert not sounding.get_by_role("button", name="Play").is_visible()


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


def test_nothing_sticks_out_of_a_narrow_page(network, silent, sounding):
    for frame in (network, silent, sounding):
        for width in (375, 900):
            frame.page.set_viewport_size({"width": width, "height": 1000})
            frame.wait_for_function("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_the_still_picture_gives_way_and_is_printed(silent):
    page = silent.page
    assert not page.locator("[data-still]").is_visible()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("[data-still] img").first.is_visible()
    assert not page.locator("iframe").is_visible()
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    page.locator("iframe").wait_for(state="visible")
    assert not page.locator("[data-still]").is_visible()


def test_without_scripts_the_still_picture_stands_there(silent_songs, open_page):
    picture = open_page(silent_songs._repr_html_(), java_script_enabled=False).locator("[data-still] img").first
    assert picture.is_visible()
    assert silent_songs.still.description in picture.get_attribute("alt")


def test_at_the_ends_of_the_list_there_is_no_button_to_press(silent):
    songs = silent.get_by_role("combobox", name="Song", exact=True)
    names = songs.evaluate("select => [...select.options].map((option) => option.value)")
    for place, lost in ((names[0], "previous"), (names[-1], "next"), (names[1], "")):
        songs.select_option(place)
        disabled = [word for word in ("previous", "next")
                    if silent.get_by_role("button", name=re.compile(word)).is_disabled()]
        assert disabled == ([lost] if lost else [])
