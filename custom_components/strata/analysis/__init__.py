"""Insight out of the stored history: detectors, by name."""

from collections.abc import Mapping

from .anomaly.detector import ANOMALY
from .base import Detector

DETECTORS: Mapping[str, Detector] = {detector.key: detector for detector in (ANOMALY,)}
"""Every detector. A new one is a file and a line here."""
