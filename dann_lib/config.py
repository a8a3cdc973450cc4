"""What a training run is made of; the defaults are the report's."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin, get_type_hints

from dann_lib import report
from dann_lib.errors import CheckpointError


@dataclass(frozen=True)
class TrainingConfig:
    """Every choice that changes the result of a training run."""

    sources: tuple[str, ...] = report.SOURCES           # what is separated, by the names of the corpus' stems (II.a)
    network: str = "dann"                               # a key of `baselines.NETWORKS`
    network_options: dict[str, Any] = dataclasses.field(default_factory=dict)   # of its class: {"skips": (2, 3)}
    optimizer: Literal["sgd", "adam"] = "sgd"           # SGD in the report (II.c)
    learning_rate: float = report.LEARNING_RATE         # 0.0001 in the report; 0.003 with Adam in `MODERN`
    momentum: float = report.MOMENTUM                   # of SGD (II.c)
    loss: Literal["l1", "snr"] = "l1"                   # equation (3), or minus the SNR in dB: `training.snr_loss`
    order: Literal["fixed", "free"] = "fixed"           # of the estimates; free: the best, see `training.best_order`
    schedule: Literal["constant", "one-cycle"] = "constant"     # report; Smith and Topin, 2019, arXiv:1708.07120
    gain: float = report.GAIN                           # on the waveform before the STFT (II.b; see the erratum)
    # Draw each source of a chunk from another song at another level and speed, and add them up (Uhlich et al., 2017,
    # doi:10.1109/ICASSP.2017.7952158); else chunks of the songs as they are.
    remix: bool = False
    n_chunk_frames: int = report.N_FRAMES               # per chunk; fewer where every song is shorter
    batch_size: int = report.BATCH_SIZE                 # chunks per update, over all processes
    epochs: int = report.EPOCHS                         # passes over the chunks of the training songs
    train_on: Literal["train", "train+valid"] = "train"         # without the validation songs, or with them
    held_out: Literal["test", "valid"] = "valid"        # songs of the other loss curve; the test songs in figure 8
    patience: int | None = None                         # epochs to go on without a lower loss on them; None: all
    seed: int = 0                                       # of the first weights, the order of chunks, the remixing

    def __post_init__(self) -> None:
        """Refuse values that cannot be meant: a `ValueError` names the value, what was expected, and why."""
        for name, type_ in get_type_hints(TrainingConfig).items():
            value, choices = getattr(self, name), get_args(type_) if get_origin(type_) is Literal else ()
            if choices and value not in choices:
                raise ValueError(f"{name} is {value!r}; choose one of {', '.join(choices)}")
            generic = {"network_options": dict, "sources": list | tuple}
            expected = generic.get(name, int | float if type_ is float else type_)
            if not choices and not isinstance(value, expected):
                raise ValueError(f"{name} is {value!r}; expected {type_}")
        for name in ("learning_rate", "gain", "n_chunk_frames", "batch_size", "epochs"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be above 0 and finite")
        if not 0 <= self.seed < 2**63:
            raise ValueError(f"seed is {self.seed}; choose one from 0 to 2^63 - 1")
        if self.patience is not None and self.held_out == "test":
            raise ValueError("early stopping would choose on the test songs; set held_out to 'valid'")
        if self.train_on == "train+valid" and self.held_out == "valid":
            raise ValueError("the validation songs cannot be learned from and held out; choose held_out 'test'")
        if not self.sources or len(set(self.sources)) < len(self.sources) or {"other", "rest"} <= set(self.sources):
            raise ValueError(f"sources are {', '.join(self.sources) or 'none'}; name one or more, each once, and not "
                             "both other and rest: what is left of a song gets the name that is free")
        for name in self.sources:  # also those of weights that somebody sent
            if not (isinstance(name, str) and name.isprintable() and name == name.strip(" .") and 0 < len(name) <= 60
                    and not set(name) & set('/\\:*?"<>|')):
                raise ValueError(f"the source {name!r} cannot be a file's name; use up to 60 letters and digits")
        object.__setattr__(self, "sources", tuple(self.sources))
        # Tuples as lists, as they come back from JSON, so that equal configurations compare equal.
        object.__setattr__(self, "network_options", json.loads(json.dumps(self.network_options)))

    def to_json(self) -> str:
        """The configuration as one line of JSON; choices that came later are left out where they are as before."""
        later = ("sources", report.SOURCES), ("order", "fixed")
        return json.dumps(dict(choice for choice in dataclasses.asdict(self).items() if choice not in later))

    @staticmethod
    def from_json(text: str) -> TrainingConfig:
        """The configuration that `to_json` wrote.

        Raises:
            CheckpointError: if the text is no configuration, or one of another version.
        """
        try:
            return TrainingConfig(**json.loads(text))
        except (TypeError, ValueError) as error:
            raise CheckpointError(f"the stored configuration cannot be read ({error}); train again") from error


def differences(found: TrainingConfig, expected: TrainingConfig) -> list[str]:
    """Where two configurations differ; epochs and patience do not count where the learning rate is constant.

    Such a run can go on for longer.
    """
    ignored = {"epochs", "patience"} if expected.schedule == "constant" else set()
    left, right = dataclasses.asdict(found), dataclasses.asdict(expected)
    return [f"{name}: {left[name]!r} there, {right[name]!r} asked for"
            for name in left if name not in ignored and left[name] != right[name]]


MODERN = TrainingConfig(
    optimizer="adam", learning_rate=3e-3, schedule="one-cycle", loss="snr", remix=True, batch_size=4
)
"""Today's training of the same network: Adam, one cycle of the learning rate, a loss in dB, remixed songs, and
small batches.

Found on the validation songs of the 7-second excerpts: 40 epochs in batches of 4 reach what 100 epochs in batches
of 16 do; (3) makes careful masks with a high SIR and a low SAR, and after it ten epochs of `snr` add 0.7 dB of SDR to
the vocals and 0.6 dB to the bass, in the mean.
"""

BEST = dataclasses.replace(MODERN, network_options={
    "kernels": (3, 3, 3, 3), "channels": (8, 24, 64, 64), "bottleneck": 32, "across": (0, 64, 64, 32)})
"""The same training of a DANN of equal size, whose weights lie in layers across all bins in place of large kernels.

The network of `separate`: with composed drums, bass and accompaniment among its songs (`reproduce.songs.songs_of`).
"""

PRESETS = {"report": TrainingConfig(), "modern": MODERN, "best": BEST}
"""Configurations by name, as the command line takes them."""
