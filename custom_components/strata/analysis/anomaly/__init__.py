"""Anomalies: what is unusual in a series, since when, how unusual, and why somebody should care."""

from .grouping import group, may_push
from .methods import METHODS, Answer, MethodUnavailableError, detect
from .quiet import QuietHours, broken
from .scanner import KINDS, Scan, scan
from .state import mark_normal
from .thresholds import SENSITIVITIES

__all__ = [
    "KINDS",
    "METHODS",
    "SENSITIVITIES",
    "Answer",
    "MethodUnavailableError",
    "QuietHours",
    "Scan",
    "broken",
    "detect",
    "group",
    "mark_normal",
    "may_push",
    "scan",
]
