"""Errors that are meant for the reader: what was found, what was expected, what to do."""

from __future__ import annotations


class DannError(Exception):
    """Base of every error with a message for the user; the command line prints it and exits with 2."""


class CorpusError(DannError):
    """A corpus is missing, empty, damaged, or not one of the known kinds."""


class AudioError(DannError):
    """A file or an array is no usable audio."""


class CheckpointError(DannError):
    """Weights or a checkpoint are truncated, of another configuration, or of a refused format."""


class OutputError(DannError):
    """A result could not be written: the folder is missing or read-only, or the disk is full."""
