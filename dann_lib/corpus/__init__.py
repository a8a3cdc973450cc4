"""Corpora of songs: MUSDB18, MUSDB18-HQ, the embedded one; each prepared once, then memory-mapped (report, II.a)."""

from __future__ import annotations

from dann_lib.corpus.corpus import SUBSETS, Corpus, Track, open_corpus

__all__ = ["SUBSETS", "Corpus", "Track", "open_corpus"]
