"""Where archives go: a kind of target is a file here and a line below."""

from collections.abc import Mapping

from .base import Target
from .local import LocalTarget
from .s3 import S3Target

TARGETS: Mapping[str, type[Target]] = {kind.key: kind for kind in (LocalTarget, S3Target)}
"""Kinds of targets by what subentry data calls them."""
