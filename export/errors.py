"""The errors of this package; every message says what was expected, what came and what to do."""

from __future__ import annotations


class MissingPackageError(ImportError):
    """An optional package is not installed; the message names the extra that brings it."""


class NotReadError(TypeError):
    """An estimator of a kind that softops has no reader of: a bridge may convert it."""


class ConversionError(ValueError):
    """A bridge cannot convert an estimator, or what it made of it does not compute what the estimator does."""
