"""Weights, checkpoints and history on disk; each file is written whole or not at all.

Weights are `safetensors`, with the configuration and a checksum inside. A checkpoint is read with
`weights_only=True`. A pickle, which can run any code when it is opened, is never trusted.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from dann_lib.baselines import network_of
from dann_lib.config import TrainingConfig, differences
from dann_lib.errors import CheckpointError
from dann_lib.files import atomic_write, read_regular

HISTORY_COLUMNS = ("epoch", "update", "seconds", "train_loss", "test_loss")


def checksum(weights: Mapping[str, Tensor], config: str) -> str:
    """A hash of weights and of the configuration that belongs to them."""
    digest = hashlib.sha256(config.encode())
    for name, value in sorted(weights.items()):
        digest.update(name.encode() + value.detach().cpu().float().numpy().tobytes())
    return digest.hexdigest()[:16]


def save_weights(path: Path, network: nn.Module, config: TrainingConfig) -> None:
    """Write a network's weights and configuration as `safetensors`; the same ones give the same bytes.

    Raises:
        OutputError: if the file cannot be written.
    """
    weights = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    text = config.to_json()
    noted = {**json.loads(text), "checksum": checksum(weights, text)}
    with atomic_write(path) as temporary:
        save_file(weights, temporary, metadata={"config": json.dumps(noted)})  # one entry: more would have no order


def load_weights(path: Path) -> tuple[nn.Module, TrainingConfig]:
    """Read what `save_weights` wrote: a network, in evaluation mode on the CPU, and its configuration.

    Raises:
        CheckpointError: if the file is missing, damaged, a pickle, or of another network.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"there are no weights at {path}; train first, or name another file")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        with open(path, "rb") as file:
            start = file.read(9)  # of a safetensors file: the length of its header, whose first byte can be any, and {
            if start.startswith((b"\x80", b"PK\x03\x04")) and start[8:] != b"{":
                raise CheckpointError(
                    f"{path} is a pickle, which can run any code when it is opened, and is refused; "
                    "name weights in .safetensors format"
                ) from error
        raise CheckpointError(f"{path} is truncated or no safetensors file ({error}); copy it again") from error
    if "config" not in metadata:
        raise CheckpointError(f"{path} has no configuration of this project inside; name weights it has trained")
    try:
        stated = json.loads(metadata["config"])
        noted = stated.pop("checksum", None)  # older weights have none
        config, found = TrainingConfig(**stated), checksum(weights, json.dumps(stated))
        with torch.device("meta"):  # so that nothing takes memory but what is in the file
            network = network_of(config)
        network.load_state_dict({name: value.float() for name, value in weights.items()}, assign=True)
    except Exception as error:
        reason = " ".join(str(error).split())[:300]  # torch's has a line for each layer
        raise CheckpointError(f"the weights in {path} do not fit its network ({reason})") from error
    if noted not in (None, found):
        raise CheckpointError(f"{path} is damaged: its weights have not its checksum; copy it again, or train again")
    return network.eval(), config


def save_checkpoint(path: Path, state: dict[str, Any], config: TrainingConfig, corpus: str) -> None:
    """Write all that a run needs to go on: `state` and what it belongs to.

    Raises:
        OutputError: if the file cannot be written; the older checkpoint stays.
    """
    whole = {**state, "config": config.to_json(), "corpus": corpus}
    with atomic_write(path) as temporary:
        torch.save({**whole, "checksum": _checksum_of(whole)}, temporary)


def _checksum_of(state: dict[str, Any]) -> str:
    """A hash of a checkpoint's content: tensors and plain values, at any depth."""
    def of_tensor(value: Tensor) -> list[str]:
        content = value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        return [str(value.dtype), str(list(value.shape)), hashlib.sha256(content).hexdigest()]

    return hashlib.sha256(json.dumps(state, default=of_tensor).encode()).hexdigest()


def load_checkpoint(path: Path, config: TrainingConfig, corpus: str) -> dict[str, Any]:
    """Read what `save_checkpoint` wrote, for a run with this configuration on the corpus of this fingerprint.

    Raises:
        CheckpointError: if the file is damaged, holds anything but tensors and plain values, or belongs
            to another configuration or corpus.
    """
    try:
        content = read_regular(path)
        with zipfile.ZipFile(io.BytesIO(content)) as parts:
            if damaged := parts.testzip():  # PyTorch writes checksums, and does not look at them
                raise zipfile.BadZipFile(damaged)
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        if state.pop("checksum", None) not in (None, _checksum_of(state)):  # older ones have none
            raise ValueError
        stored, stored_corpus = TrainingConfig.from_json(state["config"]), state["corpus"]
        history_text(state["history"])
    except Exception as error:  # whatever a damaged file makes of the readers
        raise CheckpointError(
            f"{path} is damaged or truncated, or no checkpoint of this project, or a pickle with code in it, which is "
            "refused; remove it to start anew, or name another folder"
        ) from error
    changed = differences(stored, config)
    if stored_corpus != corpus:
        changed.append("corpus: other songs there")
    if changed:
        raise CheckpointError(
            f"{path.parent} holds a run of another configuration ({'; '.join(changed)}); "
            "name another folder, or restart to replace that run"
        )
    return state


def save_history(path: Path, history: list[dict[str, float]]) -> None:
    """Write the losses of each epoch as CSV with the columns `HISTORY_COLUMNS`."""
    with atomic_write(path) as temporary:
        temporary.write_text(history_text(history), newline="")


def history_text(history: list[dict[str, float]]) -> str:
    """What `save_history` writes."""
    rows = [[row[name] for name in HISTORY_COLUMNS] for row in history]
    return pd.DataFrame(rows, columns=list(HISTORY_COLUMNS)).to_csv(index=False, lineterminator="\n")


def load_history(path: Path) -> pd.DataFrame:
    """Read a history: a row for each epoch, with the columns `HISTORY_COLUMNS`; seconds are cumulative.

    Raises:
        CheckpointError: if there is none, or it has other columns.
    """
    if not Path(path).is_file():
        raise CheckpointError(f"there is no history at {path}; train first, or name another file")
    history = pd.read_csv(path)
    if tuple(history.columns) != HISTORY_COLUMNS:
        raise CheckpointError(f"{path} has the columns {list(history.columns)}, expected {list(HISTORY_COLUMNS)}")
    return history
