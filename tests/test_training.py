"""Loss (3), learning, resuming, processes, and what is refused."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from tiny import tiny_corpus

from dann_lib import batches, report
from dann_lib.baselines import build
from dann_lib.batches import Chunks, pretreat
from dann_lib.checkpoint import load_history, load_weights, save_weights
from dann_lib.config import TrainingConfig
from dann_lib.devices import choose_precision
from dann_lib.errors import CheckpointError, CorpusError, OutputError
from dann_lib.files import only_process
from dann_lib.network import DANN
from dann_lib.training import best_order, l1_loss, snr_loss, train

SMALL = {"channels": [4, 8, 8, 8], "bottleneck": 4}
CONFIG = TrainingConfig(network_options=SMALL, n_chunk_frames=18, batch_size=2, epochs=4)
QUICK = {"device": "cpu", "progress": False, "precision": "float32"}


def weights(run) -> dict[str, torch.Tensor]:
    return run.network.state_dict()


def assert_same_run(left, right):
    for name, value in weights(left).items():
        assert torch.equal(value, weights(right)[name]), name
    columns = ["epoch", "update", "train_loss", "test_loss"]
    assert left.history[columns].equals(right.history[columns])


def test_equation_3_by_hand():
    mixture = torch.tensor([1.0, -2.0]).view(1, 2, 1, 1)
    masks = torch.tensor([0.5, 0.5, 1.0, 0.0, 0.0, -1.0]).view(1, 3, 2, 1, 1)
    sources = torch.tensor([1.0, 1.0, 1.0, 0.0, 3.0, 2.0]).view(1, 3, 2, 1, 1)
    # |0.5 - 1| + |-1 - 1| + |1 - 1| + |0 - 0| + |0 - 3| + |2 - 2|
    assert l1_loss(masks, mixture, sources, reduction="sum").item() == 5.5
    assert l1_loss(masks, mixture, sources).item() == pytest.approx(5.5 / 6)


def test_the_gain_scales_the_gradient():
    chunks = Chunks(tiny_corpus(1, 1).tracks[:1], 18)
    batch = next(chunks.in_order(CONFIG))
    norms = []
    for gain in (1.0, 300.0):
        torch.manual_seed(0)
        network = DANN(**SMALL)
        mixture, sources = pretreat(batch.waveforms, gain)
        l1_loss(network(mixture), mixture, sources).backward()
        norms.append(sum(weight.grad.square().sum() for weight in network.parameters()).sqrt().item())
    assert norms[1] / norms[0] == pytest.approx(300, rel=0.05)


def test_defaults_are_the_report():
    config = TrainingConfig()
    assert (config.optimizer, config.learning_rate, config.momentum) == ("sgd", 0.0001, 0.9)
    assert (config.batch_size, config.n_chunk_frames, config.epochs, config.remix) == (16, 88, 100, False)


def test_every_chunk_is_seen_once_an_epoch():
    chunks = Chunks(tiny_corpus(5, 1, seconds=4.5).select("train"), 18)
    assert len(chunks) == 10
    orders = []
    for epoch in (0, 1):
        batches = list(chunks.at_random(CONFIG, epoch))
        assert sum(batch.n_global for batch in batches) == 10
        stacked = torch.cat([batch.waveforms for batch in batches])
        known = torch.cat([batch.waveforms for batch in chunks.in_order(CONFIG)])
        orders.append([int(torch.cdist(row[None, 0], known[:, 0]).argmin()) for row in stacked])
        assert sorted(orders[-1]) == list(range(10))
    assert orders[0] != orders[1]


def test_processes_share_each_batch_without_overlap():
    chunks = Chunks(tiny_corpus(5).select("train"), 18)
    config = replace(CONFIG, batch_size=3)
    shares = (chunks.at_random(config, 2), chunks.at_random(config, 2, 0, 2), chunks.at_random(config, 2, 1, 2))
    for together in zip(*shares, strict=True):
        whole, *shares = (batch.waveforms for batch in together)
        assert torch.equal(whole[0::2], shares[0])
        assert torch.equal(whole[1::2], shares[1])


def test_a_remixed_mixture_is_the_sum_of_its_sources():
    corpus = tiny_corpus()
    config = replace(CONFIG, remix=True, batch_size=5)
    batch = next(Chunks(corpus.select("train"), 18).at_random(config, 0)).waveforms
    other = batch[:, 0] - batch[:, 1:].sum(dim=1)
    powers = torch.fft.rfft(other).abs().argmax(dim=-1) * report.SAMPLE_RATE / batch.shape[-1]
    assert torch.all((powers > 1300) & (powers < 2200)), "the rest of a remix is a song's other"
    plain = next(Chunks(corpus.select("train"), 18).in_order(replace(config, remix=False))).waveforms
    assert not torch.allclose(batch[0, 1], plain[0, 1])


def test_the_loss_in_db_is_minus_the_signal_to_noise_ratio():
    mixture = torch.randn(2, 2, 40, 20)
    sources = torch.randn(2, 3, 2, 40, 20)
    masks = (sources + 0.1 * torch.randn_like(sources)) / mixture.unsqueeze(1)
    losses = snr_loss(masks, mixture, sources)
    assert losses.shape == (2, 3)
    assert torch.allclose(losses, torch.full((2, 3), -20.0), atol=1.0)
    silent = snr_loss(torch.zeros(2, 3, 2, 40, 20), mixture, torch.zeros_like(sources))
    assert torch.equal(silent, torch.zeros(2, 3)), "silence for a silent source is neither good nor bad"
    assert snr_loss(torch.zeros_like(masks), mixture, sources).abs().max() < 1e-5, "silence is 0 dB"
    louder = snr_loss(masks, 10 * mixture, 10 * sources)
    assert torch.allclose(louder, losses, atol=1e-4), "every song counts alike, whatever its level"


@pytest.mark.parametrize("seconds", [1.5, 30.0])
def test_a_remixed_source_is_the_song_at_another_speed_without_clicks(seconds):
    seconds = np.arange(int(seconds * report.SAMPLE_RATE)) / report.SAMPLE_RATE
    tone = np.sin(2 * np.pi * 220 * seconds).astype(np.float32)
    pitches = []
    for seed in range(8):
        piece = batches._varied(tone, 20_000, np.random.default_rng(seed))
        assert piece.shape == (20_000,)
        assert np.abs(np.diff(piece)).max() < 1.5 * 2 * np.pi * 220 * 2**batches.SPEED_OCTAVES / report.SAMPLE_RATE
        pitches.append(np.abs(np.fft.rfft(piece)).argmax() * report.SAMPLE_RATE / 20_000)
    assert min(pitches) > 220 / 2**batches.SPEED_OCTAVES - 1
    assert max(pitches) < 220 * 2**batches.SPEED_OCTAVES + 1
    assert max(pitches) - min(pitches) > 10


@pytest.mark.parametrize("remix", [False, True])
def test_what_is_asked_for_does_not_change_the_songs(remix):
    """All stems are drawn and added up, whichever of them are given, and in whichever order."""
    tracks, config = tiny_corpus(2, 1).select("train"), replace(CONFIG, remix=remix)
    usual, asked = (next(Chunks(tracks, 18, sources).at_random(config, 3)).waveforms
                    for sources in (report.SOURCES, ("other", "drums")))
    assert torch.equal(asked[:, 0], usual[:, 0]) and torch.equal(asked[:, 2], usual[:, 2])
    torch.testing.assert_close(usual[:, 1:].sum(dim=1) + asked[:, 1], usual[:, 0], rtol=0, atol=1e-6)


def test_a_short_song_is_its_own_chunk():
    chunks = Chunks(tiny_corpus(2, 1).select("train"), report.N_FRAMES)
    assert (len(chunks), chunks.n_chunk_frames) == (2, 1 + int(2.2 * 8820) // 1024)


def test_it_overfits_one_batch():
    chunks = Chunks(tiny_corpus(2, 1).select("train"), 18)
    mixture, sources = pretreat(next(chunks.in_order(CONFIG)).waveforms[:1], CONFIG.gain)
    torch.manual_seed(0)
    network = DANN()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    for _ in range(40):
        loss = l1_loss(network(mixture), mixture, sources)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    silence = sources.abs().mean()
    assert loss < 0.85 * silence, "it found nothing better than masks of zero"


def test_sgd_at_the_reports_rate_needs_the_gain(tmp_path):
    corpus, fall = tiny_corpus(2, 1), {}
    for gain in (1.0, report.GAIN):
        config = replace(CONFIG, gain=gain, epochs=4, held_out="test")
        losses = train(corpus, config, tmp_path / str(gain), **QUICK).history["train_loss"]
        fall[gain] = 1 - losses.iloc[-1] / losses.iloc[0]
    assert fall[report.GAIN] > 10 * abs(fall[1.0])


@pytest.mark.parametrize("config", [CONFIG, replace(CONFIG, optimizer="adam", schedule="one-cycle", remix=True)],
                         ids=["report", "modern"])
def test_an_interrupted_run_ends_with_the_same_bits(tmp_path, monkeypatch, config):
    corpus = tiny_corpus()
    whole = train(corpus, config, tmp_path / "whole", **QUICK)
    from dann_lib import training

    saves = []

    def stop_after_two(*arguments):
        saves.append(arguments)
        if len(saves) == 3:
            raise KeyboardInterrupt
        return original(*arguments)

    original = training.save_checkpoint
    monkeypatch.setattr(training, "save_checkpoint", stop_after_two)
    with pytest.raises(KeyboardInterrupt):
        train(corpus, config, tmp_path / "cut", **QUICK)
    monkeypatch.setattr(training, "save_checkpoint", original)
    assert len(load_history(tmp_path / "cut" / "history.csv")) == 2
    torch.manual_seed(99)
    assert_same_run(train(corpus, config, tmp_path / "cut", **QUICK), whole)


CHILD = """
import sys
from pathlib import Path
sys.path[:0] = [{tests!r}]
from test_training import CONFIG, QUICK
from dataclasses import replace
from tiny import tiny_corpus
from dann_lib.training import train
train(tiny_corpus(), replace(CONFIG, epochs={epochs}, batch_size={batch}), Path(sys.argv[1]), **QUICK)
"""


def child(epochs: int, batch: int = 2) -> str:
    return CHILD.format(tests=str(Path(__file__).parent), epochs=epochs, batch=batch)


def test_a_killed_process_can_go_on_bit_for_bit(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", child(200), str(tmp_path / "killed")])
    history = tmp_path / "killed" / "history.csv"
    deadline = time.monotonic() + 120
    while not (history.exists() and len(load_history(history)) >= 2):
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    reached = len(load_history(history))
    config = replace(CONFIG, epochs=reached + 2)
    resumed = train(tiny_corpus(), config, tmp_path / "killed", **QUICK)
    assert_same_run(resumed, train(tiny_corpus(), config, tmp_path / "whole", **QUICK))
    assert not list((tmp_path / "killed").glob(".*")), "a killed write leaves nothing that counts"


def test_two_processes_learn_what_one_learns(tmp_path):
    """In batches of five, of which one has three chunks and the other two."""
    one = train(tiny_corpus(), replace(CONFIG, batch_size=5), tmp_path / "one", **QUICK)
    script = tmp_path / "child.py"
    script.write_text(child(4, 5))
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[1])}
    subprocess.run(
        [sys.executable, "-m", "accelerate.commands.launch", "--cpu", "--num_processes", "2", "--num_machines", "1",
         "--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "29611",
         str(script), str(tmp_path / "two")],
        check=True, env=environment, timeout=600,
    )
    two, _ = load_weights(tmp_path / "two" / "weights.safetensors")
    for name, value in weights(one).items():
        torch.testing.assert_close(two.state_dict()[name], value, atol=1e-4, rtol=1e-3, msg=name)
    history = load_history(tmp_path / "two" / "history.csv")
    np.testing.assert_allclose(history["train_loss"], one.history["train_loss"], rtol=1e-4)
    np.testing.assert_allclose(history["test_loss"], one.history["test_loss"], rtol=1e-4)


def test_bfloat16_learns_the_same(tmp_path):
    losses = {}
    for precision in ("float32", "bf16"):
        config = replace(CONFIG, epochs=2)
        run = train(tiny_corpus(2, 1), config, tmp_path / precision, **{**QUICK, "precision": precision})
        losses[precision] = run.history["test_loss"].to_numpy()
    np.testing.assert_allclose(losses["bf16"], losses["float32"], rtol=1e-2)


def test_early_stopping_keeps_the_best_epoch(tmp_path):
    config = replace(CONFIG, optimizer="adam", learning_rate=0.3, epochs=40, patience=2)
    run = train(tiny_corpus(), config, tmp_path, **QUICK)
    losses = run.history["test_loss"]
    assert len(losses) < 40
    assert losses.idxmin() == len(losses) - 3
    best, _ = load_weights(run.weights)
    held_out = Chunks(tiny_corpus().select("valid"), 18)
    (batch,) = held_out.in_order(replace(config, batch_size=10))
    mixture, sources = pretreat(batch.waveforms, config.gain)
    with torch.no_grad():
        assert l1_loss(best(mixture), mixture, sources).item() == pytest.approx(losses.min(), rel=1e-4)


def test_a_longer_run_goes_on_where_the_shorter_one_ended(tmp_path):
    train(tiny_corpus(), replace(CONFIG, epochs=2), tmp_path / "a", **QUICK)
    longer = train(tiny_corpus(), CONFIG, tmp_path / "a", **QUICK)
    assert_same_run(longer, train(tiny_corpus(), CONFIG, tmp_path / "b", **QUICK))


def test_seeds_differ_and_repeat(tmp_path):
    runs = [train(tiny_corpus(), replace(CONFIG, seed=seed, epochs=1), tmp_path / str(index), **QUICK)
            for index, seed in enumerate((1, 1, 2))]
    assert_same_run(runs[0], runs[1])
    assert not torch.equal(weights(runs[0])["masks.weight"], weights(runs[2])["masks.weight"])


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return train(tiny_corpus(), replace(CONFIG, epochs=1), tmp_path_factory.mktemp("run"), **QUICK)


def copy_of(run, tmp_path) -> Path:
    for file in run.folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


def test_a_checkpoint_of_another_configuration_is_refused(finished, tmp_path):
    folder = copy_of(finished, tmp_path)
    with pytest.raises(CheckpointError, match="learning_rate: 0.0001 there, 0.001 asked for"):
        train(tiny_corpus(), replace(CONFIG, learning_rate=1e-3), folder, **QUICK)
    with pytest.raises(CheckpointError, match="other songs"):
        train(replace(tiny_corpus(), fingerprint="else"), CONFIG, folder, **QUICK)
    train(tiny_corpus(), replace(CONFIG, learning_rate=1e-3, epochs=1), folder, restart=True, **QUICK)


def test_a_truncated_checkpoint_is_refused_and_kept(finished, tmp_path):
    folder = copy_of(finished, tmp_path)
    content = (folder / "checkpoint.pt").read_bytes()
    (folder / "checkpoint.pt").write_bytes(content[: len(content) // 2])
    with pytest.raises(CheckpointError, match="truncated"):
        train(tiny_corpus(), CONFIG, folder, **QUICK)
    assert (folder / "checkpoint.pt").stat().st_size == len(content) // 2


def test_a_checkpoint_that_training_did_not_write_is_refused(finished, tmp_path):
    folder, config = copy_of(finished, tmp_path), replace(CONFIG, epochs=1)
    file = folder / "checkpoint.pt"
    whole = torch.load(file, weights_only=True)
    for key in whole:
        torch.save({**whole, key: "odd"}, file)
        with pytest.raises(CheckpointError, match="damaged"):
            train(tiny_corpus(), config, folder, **QUICK)
    del whole["checksum"]  # as in older ones
    torch.save(whole, file)
    assert_same_run(train(tiny_corpus(), config, folder, **QUICK), finished)
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(CheckpointError, match="no checkpoint"):
        train(tiny_corpus(), config, folder, **QUICK)


@pytest.mark.parametrize("damage", ["no weights", "short weights", "no history", "a row less", "no configuration",
                                    "another configuration", "pipe: weights", "pipe: history", "pipe: configuration"])
def test_a_finished_run_is_written_again_where_it_is_not_whole(finished, tmp_path, damage):
    folder = copy_of(finished, tmp_path)
    whole = {path.name: path.read_bytes() for path in folder.iterdir()}
    name = next(name for name in whole if damage.split()[-1][:5] in name or (damage == "a row less" and "csv" in name))
    (folder / name).write_bytes(whole[name][:-30]) if "short" in damage or "row" in damage else (folder / name).unlink()
    os.mkfifo(folder / name) if "pipe" in damage else None
    (folder / name).write_text(replace(CONFIG, seed=5).to_json()) if "another" in damage else None
    assert_same_run(train(tiny_corpus(), replace(CONFIG, epochs=1), folder, **QUICK), finished)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == whole


def test_no_flipped_bit_in_a_file_of_a_run_stays_unseen(finished, tmp_path):
    folder, random = copy_of(finished, tmp_path), np.random.default_rng(0)
    for name, load in (("weights.safetensors", lambda: load_weights(folder / "weights.safetensors")),
                       ("checkpoint.pt", lambda: train(tiny_corpus(), replace(CONFIG, epochs=1), folder, **QUICK))):
        whole = (folder / name).read_bytes()
        for place in random.integers(8 * len(whole), size=60):
            damaged = bytearray(whole)
            damaged[place // 8] ^= 1 << place % 8
            (folder / name).write_bytes(damaged)
            try:
                run = load()
            except CheckpointError:
                continue
            network = getattr(run, "network", None) or run[0]  # of a byte that means nothing
            assert all(torch.equal(value, network.state_dict()[key]) for key, value in weights(finished).items()), place
        (folder / name).write_bytes(whole)


@pytest.mark.parametrize("change", [
    {"n_chunk_frames": 2.5}, {"gain": float("inf")}, {"network_options": [1]}, {"network_options": {"channels": 3}},
    {"network_options": {"channels": [10**9] * 4}}, {"network_options": {**SMALL, "n_sources": 5}}, {"momentum": "a"},
    {"network": "cdae", "network_options": {"skips": [1]}}, {"seed": 2**70}, {"network_options": {"bottleneck": None}},
    *({"sources": [name, "drums", "bass"]} for name in ("../vocals", "/etc/x", "a\0", "", ".", "x" * 61, 3)),
    {"network_options": {**SMALL, "bands": 3}}, {"network_options": {**SMALL, "bands": [["a", 1]]}},
    {"network_options": {**SMALL, "bands": [[0, 1]] * 2}},
])
def test_configurations_that_nobody_wrote_are_refused(tmp_path, change):
    file = tmp_path / "weights.safetensors"
    options = {**SMALL, "n_sources": 5} if "n_sources" in str(change) else SMALL
    network = build("dann", **options)
    stored = json.dumps({**json.loads(TrainingConfig(network_options=options).to_json()), **change})
    save_file(network.state_dict(), file, metadata={"config": stored})
    with pytest.raises(CheckpointError, match="do not fit") as refused:
        load_weights(file)
    assert "\n" not in str(refused.value)


def test_the_same_weights_are_the_same_bytes_and_older_ones_are_read(finished, tmp_path):
    files = [tmp_path / f"{number}.safetensors" for number in range(8)]
    for file in files:
        save_weights(file, finished.network, finished.config)
    assert len({file.read_bytes() for file in files}) == 1
    save_file(weights(finished), files[0], metadata={"config": finished.config.to_json()})  # without a checksum
    assert load_weights(files[0])[1] == finished.config


def test_a_second_process_in_a_run_is_told_of_the_first(finished, tmp_path):
    folder = copy_of(finished, tmp_path)
    (folder / ".unfinished-x.pt").touch()
    (folder / ".lock").touch()  # of a process that was killed before it wrote its number
    with only_process(folder):
        assert not (folder / ".unfinished-x.pt").exists()
        train(tiny_corpus(), replace(CONFIG, epochs=1), folder, **QUICK)  # nothing is to be done
        with pytest.raises(OutputError, match=rf"process {os.getpid()} is writing in"):
            train(tiny_corpus(), CONFIG, folder, **QUICK)
    assert not (folder / ".lock").exists()


class Bomb:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return (Path.touch, (self.marker,))


@pytest.mark.parametrize("name", ["checkpoint.pt", "weights.safetensors"])
def test_a_pickle_is_refused_and_never_runs(finished, tmp_path, name):
    folder, marker = copy_of(finished, tmp_path), tmp_path / "ran"
    torch.save(Bomb(marker), folder / "bomb.pt")
    for content in (pickle.dumps(Bomb(marker)), (folder / "bomb.pt").read_bytes()):
        (folder / name).write_bytes(content)
        with pytest.raises(CheckpointError, match="pickle"):
            if name == "checkpoint.pt":
                train(tiny_corpus(), CONFIG, folder, **QUICK)
            else:
                load_weights(folder / name)
        assert not marker.exists()


def test_weights_that_begin_like_a_pickle_are_none(tmp_path):
    """A safetensors file begins with the length of its header, and every 32nd one with the first byte of a pickle."""
    file, options = tmp_path / "weights.safetensors", {"channels": (1, 1, 1, 1), "bottleneck": 1}
    for digits in range(260):
        config = TrainingConfig(network_options=options, epochs=10**digits)
        save_weights(file, build("dann", **options), config)
        if file.read_bytes()[:1] == b"\x80":
            break
    else:
        raise AssertionError("no header had such a length")
    assert load_weights(file)[1] == config


def test_damaged_or_foreign_weights_are_refused(finished, tmp_path):
    folder = copy_of(finished, tmp_path)
    weights_file = folder / "weights.safetensors"
    content = weights_file.read_bytes()
    weights_file.write_bytes(content[:-100])
    with pytest.raises(CheckpointError, match="truncated"):
        load_weights(weights_file)
    weights_file.write_bytes(content.replace(b'"bottleneck', b'"bottlenick'))
    with pytest.raises(CheckpointError):
        load_weights(weights_file)
    with pytest.raises(CheckpointError, match="no weights"):
        load_weights(folder / "missing.safetensors")


def test_the_sources_are_stored_where_they_are_others_than_the_reports():
    """So that weights of before are the same separator as ever: its fingerprint is made of this text."""
    other = replace(CONFIG, sources=("banjo", "vocals"), order="free")
    assert TrainingConfig.from_json(other.to_json()) == other
    assert TrainingConfig.from_json(CONFIG.to_json()) == CONFIG
    assert not {"sources", "order"} & json.loads(CONFIG.to_json()).keys()


def test_impossible_choices_are_named():
    for wrong, message in [({"gain": 0}, "above 0"), ({"optimizer": "lion"}, "choose one of"),
                           ({"patience": 3, "held_out": "test"}, "test songs"),
                           ({"train_on": "train+valid"}, "validation songs"), ({"sources": ()}, "are none"),
                           ({"sources": ("bass", "bass")}, "each once"), ({"sources": ("other", "rest")}, "not both")]:
        with pytest.raises(ValueError, match=message):
            replace(CONFIG, **wrong)
    with pytest.raises(CorpusError, match="no songs"):
        Chunks(())
    with pytest.raises(CorpusError, match="no banjo; choose among vocals, drums, bass, other"):
        Chunks(tiny_corpus().select("train"), sources=("bass", "banjo"))


def test_devices_are_chosen_and_named(tmp_path):
    with pytest.raises(ValueError, match="not available"):
        train(tiny_corpus(), CONFIG, tmp_path, device="tpu", progress=False)
    assert choose_precision(torch.device("cpu")) in ("bf16", "float32")


def test_a_loss_that_is_no_number_stops_and_keeps_the_checkpoint(tmp_path):
    train(tiny_corpus(), replace(CONFIG, epochs=1), tmp_path, **QUICK)
    before = (tmp_path / "checkpoint.pt").read_bytes()
    broken = tiny_corpus()
    broken.tracks[0].waveforms[1] = np.nan
    with pytest.raises(FloatingPointError, match="not a number"):
        train(broken, CONFIG, tmp_path, **QUICK)
    assert (tmp_path / "checkpoint.pt").read_bytes() == before


def test_the_best_order_of_sources_is_found_for_each_chunk():
    sources = torch.randn(3, 3, 2, 40, 16)
    mixture = sources.sum(dim=1)
    turned = torch.stack((sources[0], sources[1][[2, 0, 1]], sources[2][[1, 0, 2]]))
    masks = turned / mixture[:, None] + 0.01 * torch.randn_like(turned)
    assert torch.equal(best_order(masks, mixture, sources), turned)


def test_with_a_free_order_the_order_of_the_true_sources_changes_nothing(tmp_path):
    corpus = tiny_corpus()
    config = replace(CONFIG, order="free", sources=("vocals", "bass"), loss="snr")
    turned = replace(config, sources=("bass", "vocals"))
    histories = [train(corpus, each, tmp_path / each.sources[0], **QUICK).history
                 for each in (config, turned)]
    assert histories[0]["train_loss"].tolist() == pytest.approx(histories[1]["train_loss"].tolist(), rel=1e-4)
