"""Anomalies: what is unusual in a series, since when, how unusual, and why somebody should care."""

from .scanner import KINDS, Scan, scan
from .state import mark_normal
from .thresholds import SENSITIVITIES

__all__ = ["KINDS", "SENSITIVITIES", "Scan", "mark_normal", "scan"]
