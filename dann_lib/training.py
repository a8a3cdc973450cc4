"""Loss (3) and one of today, the training loop, resuming (report, I.c and II.c)."""

from __future__ import annotations

import itertools
import os
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd
import torch
from accelerate import Accelerator
from torch import Tensor, nn
from tqdm.auto import tqdm

from dann_lib.baselines import network_of
from dann_lib.batches import Batch, Chunks, pretreat
from dann_lib.checkpoint import (
    history_text,
    load_checkpoint,
    load_weights,
    save_checkpoint,
    save_history,
    save_weights,
)
from dann_lib.config import TrainingConfig
from dann_lib.devices import make_accelerator, memory_format
from dann_lib.errors import CheckpointError
from dann_lib.files import atomic_write, only_process, read_regular
from dann_lib.network import apply_masks

if TYPE_CHECKING:
    from dann_lib.corpus import Corpus


SNR_FLOOR = 1e-3
"""Of `snr_loss`: noise so far below the energy of the mixture does not count."""

_CHECKPOINT, _WEIGHTS, _HISTORY, _CONFIG = "checkpoint.pt", "weights.safetensors", "history.csv", "config.json"


class Run(NamedTuple):
    """A finished training run.

    The network has the weights of the last epoch, or of the lowest loss on the validation songs where those were
    held out, and is in evaluation mode.
    """

    network: nn.Module
    config: TrainingConfig
    history: pd.DataFrame  # a row for each epoch: epoch, update, seconds, train_loss, test_loss
    folder: Path  # of weights, checkpoint and history

    @property
    def weights(self) -> Path:
        """The file with the weights of `network`."""
        return self.folder / _WEIGHTS


def train(
    corpus: Corpus,
    config: TrainingConfig,
    folder: Path,
    *,
    device: str | None = None,
    precision: str | None = None,
    restart: bool = False,
    progress: bool = True,
) -> Run:
    """Train a network, or go on where an interrupted run stopped (report, II.c).

    After each epoch a checkpoint is written; a run that is killed at any moment and started again ends
    with the same bits as one that was not. Under `accelerate launch` or `torchrun` the processes share
    each batch and average their gradients, so that the result does not depend on their number.

    Args:
        corpus: the songs.
        config: everything that changes the result.
        folder: where `weights.safetensors`, `checkpoint.pt`, `history.csv` and `config.json` go.
        device: `"cpu"`, `"cuda"`, `"cuda:1"`, `"mps"`; chosen by itself if `None`.
        precision: `"bf16"` or `"float32"`; chosen by the device if `None` (see `devices.choose_precision`).
        restart: forget what `folder` holds.
        progress: show a bar with the losses.

    Raises:
        CorpusError: if a subset has no songs, or no song has one of the sources.
        CheckpointError: if `folder` holds a damaged run, or one of another configuration.
        OutputError: if `folder` cannot be written.
        FloatingPointError: if the loss is no longer a number; the last good checkpoint stays.
    """
    folder = Path(folder)
    load = partial(load_checkpoint, folder / _CHECKPOINT, config, corpus.fingerprint)
    state = load() if not restart and (folder / _CHECKPOINT).exists() else None
    if state and _is_over(state["history"], config):
        torch.set_rng_state(state["random"])
        run = _run(config, folder, state)
        if _is_whole(run, state):
            return run  # without an optimizer, which takes a second to import
    with only_process(folder, needed=os.environ.get("RANK", "0") == "0"):
        accelerator = make_accelerator(device, precision)
        trainer = Trainer(corpus, config, folder, accelerator)
        if state:
            trainer.resume(load())  # what another process may have done since
        with tqdm(total=config.epochs, initial=trainer.epoch, unit="epoch", leave=False,
                  disable=not (progress and accelerator.is_main_process), desc="training") as bar:
            while not _is_over(trainer.history, config):
                losses = trainer.run_epoch()
                bar.update()
                bar.set_postfix({name: f"{losses[name]:.4g}" for name in ("train_loss", "test_loss")})
        return trainer.finish()


def l1_loss(
    masks: Tensor, mixture: Tensor, sources: Tensor, reduction: str = "mean"
) -> Tensor:
    """Equation (3): the absolute difference between the masked mixture and the true sources.

    The equation is a sum; the learning rate of the report fits a mean (see the erratum).

    Args:
        masks: `M`, `(batch, source, part, freq, frame)`.
        mixture: `I`, `(batch, part, freq, frame)`.
        sources: `N`, `(batch, source, part, freq, frame)`.
        reduction: `"mean"` over all elements, or `"sum"`.

    Returns:
        A scalar, in units of the spectrogram.
    """
    estimates = apply_masks(masks, mixture)  # (batch, source, part, freq, frame)
    return nn.functional.l1_loss(estimates, sources, reduction=reduction)


def snr_loss(masks: Tensor, mixture: Tensor, sources: Tensor) -> Tensor:
    """Minus the signal-to-noise ratio of each source, of the same tensors: a loss in dB that counts every song alike.

    Used by today's separators (Luo and Mesgarani, 2019, doi:10.1109/TASLP.2019.2915167, with the scale left free); the
    report's is (3). Noise below -30 dB of the mixture does not count, so that a silent source has a bounded loss.

    Returns:
        `(batch, source)`, in dB; lower is better.
    """
    floor = SNR_FLOOR * mixture.square().sum((-3, -2, -1)).unsqueeze(-1).clamp_min(1e-12)
    noise = (apply_masks(masks, mixture) - sources).square().sum((-3, -2, -1))
    signal = sources.square().sum((-3, -2, -1))
    return 10 * torch.log10((noise + floor) / (signal + floor))


@torch.no_grad()
def best_order(masks: Tensor, mixture: Tensor, sources: Tensor) -> Tensor:
    """The true sources of each chunk in the order in which the masks fit them best.

    For sources of the same type, of which none is the first: permutation-invariant training (Yu et al., 2017,
    arXiv:1607.00325). Every order is tried, by `snr_loss`.

    Args:
        masks: `(batch, source, part, freq, frame)`.
        mixture: `(batch, part, freq, frame)`.
        sources: `(batch, source, part, freq, frame)`.

    Returns:
        `(batch, source, part, freq, frame)`.
    """
    every = list(itertools.permutations(range(sources.shape[1])))
    orders = torch.tensor(every, device=sources.device)         # (order, source)
    losses = torch.stack([
        snr_loss(masks, mixture, sources[:, order]).sum(dim=1) for order in orders
    ])                                                          # (order, batch)
    chosen = orders[losses.argmin(dim=0)]                       # (batch, source)
    return sources[torch.arange(len(sources))[:, None], chosen]


class Trainer:
    """The state of a run between two epochs."""

    def __init__(self, corpus: Corpus, config: TrainingConfig, folder: Path, accelerator: Accelerator) -> None:
        self.config, self.folder, self.accelerator = config, folder, accelerator
        self.fingerprint = corpus.fingerprint
        self.share = accelerator.process_index, accelerator.num_processes
        self.chunks, self.held_out = (Chunks(corpus.select(songs), config.n_chunk_frames, config.sources)
                                      for songs in (config.train_on, config.held_out))
        torch.manual_seed(config.seed)
        self.layout = memory_format(accelerator.mixed_precision, learning=True)
        network = network_of(config).to(memory_format=self.layout)
        optimizer = (torch.optim.SGD(network.parameters(), config.learning_rate, config.momentum)
                     if config.optimizer == "sgd" else torch.optim.Adam(network.parameters(), config.learning_rate))
        self.schedule = None if config.schedule == "constant" else torch.optim.lr_scheduler.OneCycleLR(
            optimizer, config.learning_rate, total_steps=config.epochs * -(-len(self.chunks) // config.batch_size),
            cycle_momentum=False)
        self.network, self.optimizer = accelerator.prepare(network, optimizer)
        self.epoch, self.update, self.seconds = 0, 0, 0.0
        self.history: list[dict[str, float]] = []
        self.best: dict[str, Tensor] = {}

    @property
    def plain_network(self) -> nn.Module:
        """The network itself, without what `accelerate` wrapped around it."""
        return self.accelerator.unwrap_model(self.network)

    def run_epoch(self) -> dict[str, float]:
        """Learn from every chunk once, compute the other loss, write the checkpoint."""
        start = time.perf_counter()
        train_loss = self.learn()
        test_loss = self._held_out_loss()
        self.seconds += time.perf_counter() - start
        self.epoch += 1
        losses = {"epoch": self.epoch, "update": self.update, "seconds": round(self.seconds, 3),
                  "train_loss": train_loss, "test_loss": test_loss}
        if not all(value == value for value in losses.values()):
            raise FloatingPointError(
                f"the loss is not a number in epoch {self.epoch}; lower the learning rate or the gain"
            )
        self.history.append(losses)
        if self.config.held_out == "valid" and test_loss == min(row["test_loss"] for row in self.history):
            self.best = {name: value.detach().cpu().clone() for name, value in self.plain_network.state_dict().items()}
        self.save()
        return losses

    def resume(self, state: dict[str, Any]) -> None:
        """Take over what `save` has written."""
        self.plain_network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.schedule is not None:
            self.schedule.load_state_dict(state["schedule"])
        torch.set_rng_state(state["random"])
        self.epoch, self.update, self.seconds = state["epoch"], state["update"], state["seconds"]
        self.history, self.best = state["history"], state["best"]

    def finish(self) -> Run:
        """Write weights, history and configuration, and hand over the network."""
        run = _run(self.config, self.folder, {
            "network": self.plain_network.state_dict(), "best": self.best, "history": self.history})
        if self.accelerator.is_main_process:
            save_history(self.folder / _HISTORY, self.history)
            with atomic_write(self.folder / _CONFIG) as temporary:
                temporary.write_text(self.config.to_json() + "\n")
            save_weights(run.weights, run.network, self.config)
        self.accelerator.wait_for_everyone()
        return run

    def learn(self) -> float:
        """Train on the chunks of one epoch; the mean of the loss over them."""
        self.network.train()
        total = torch.zeros((), device=self.accelerator.device)
        for batch in self.chunks.at_random(self.config, self.epoch, *self.share):
            loss = self.loss(batch)
            # Processes average their gradients, and may hold unequal shares of a batch.
            self.accelerator.backward(loss * self.accelerator.num_processes)
            self.optimizer.step()
            self.optimizer.zero_grad()
            if self.schedule is not None:
                self.schedule.step()
            self.update += 1
            total += loss.detach() * batch.n_global
        return self._mean(total, len(self.chunks))

    @torch.no_grad()
    def _held_out_loss(self) -> float:
        self.network.eval()
        total = torch.zeros((), device=self.accelerator.device)
        for batch in self.held_out.in_order(self.config, *self.share):
            total += self.loss(batch) * batch.n_global
        return self._mean(total, len(self.held_out))

    def loss(self, batch: Batch) -> Tensor:
        """The part of this process of the mean loss over the batch of all processes."""
        planes = pretreat(batch.waveforms.to(self.accelerator.device), self.config.gain)
        return self.loss_of(*planes, batch.n_global)

    def loss_of(self, mixture: Tensor, sources: Tensor, n_global: int) -> Tensor:
        """The same of spectrograms `(batch, part, freq, frame)` and `(batch, source, part, freq, frame)`."""
        with self.accelerator.autocast():
            masks = self.network(mixture.contiguous(memory_format=self.layout))  # (batch, source, part, freq, frame)
        if self.config.order == "free":
            sources = best_order(masks.float(), mixture, sources)
        if self.config.loss == "snr":
            return snr_loss(masks.float(), mixture, sources).sum() / (n_global * sources.shape[1])
        n_elements = n_global * sources[0].numel()
        return l1_loss(masks.float(), mixture, sources, reduction="sum") / n_elements

    def _mean(self, total: Tensor, n_chunks: int) -> float:
        return float(self.accelerator.reduce(total, reduction="sum")) / n_chunks

    def save(self) -> None:
        """Write checkpoint and history."""
        if not self.accelerator.is_main_process:
            return
        state: dict[str, Any] = {
            "network": self.plain_network.state_dict(), "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict() if self.schedule is not None else None,
            "random": torch.get_rng_state(), "epoch": self.epoch, "update": self.update,
            "seconds": self.seconds, "history": self.history, "best": self.best,
        }
        save_checkpoint(self.folder / _CHECKPOINT, state, self.config, self.fingerprint)
        save_history(self.folder / _HISTORY, self.history)


def _run(config: TrainingConfig, folder: Path, state: dict[str, Any]) -> Run:
    """What is handed over at the end: a plain network on the CPU, and its history."""
    network = network_of(config)
    network.load_state_dict(state["best"] or state["network"])
    return Run(network.eval(), config, pd.DataFrame(state["history"]), folder)


def _is_whole(run: Run, state: dict[str, Any]) -> bool:
    """Whether the files of a run say what its checkpoint says."""
    try:
        found = load_weights(run.weights)[0].state_dict()
        same = (read_regular(run.folder / _CONFIG) == f"{state['config']}\n".encode()
                and read_regular(run.folder / _HISTORY) == history_text(state["history"]).encode())
        return same and all(torch.equal(value, found[name]) for name, value in run.network.state_dict().items())
    except (CheckpointError, OSError, ValueError):
        return False


def _is_over(history: list[dict[str, float]], config: TrainingConfig) -> bool:
    """Whether all epochs are done, or the loss on the validation songs has not fallen for `patience` of them."""
    if len(history) >= config.epochs:
        return True
    if config.patience is None or not history:
        return False
    losses = [row["test_loss"] for row in history]
    return len(losses) - 1 - losses.index(min(losses)) >= config.patience
