"""Keeps what Home Assistant and Strata complain about."""

import logging
from typing import override

OURS = "custom_components.strata"
# Home Assistant's loop protection and its reports of wrong use of its interfaces.
DETECTIONS = ("Detected", "blocking call")
# Said of every custom integration.
HARMLESS = ("We found a custom integration",)


class LogWatch(logging.Handler):
    """Collects warnings of ours, what the loop protection reports, and errors of anyone."""

    def __init__(self) -> None:
        """Begin with nothing."""
        super().__init__(logging.WARNING)
        self.complaints: dict[str, None] = {}

    @override
    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if any(word in text for word in HARMLESS):
            return
        ours = record.name.startswith(OURS)
        if ours or record.levelno >= logging.ERROR or any(word in text for word in DETECTIONS):
            if record.exc_info and record.exc_info[1] is not None:
                text = f"{text} ({type(record.exc_info[1]).__name__}: {record.exc_info[1]})"
            self.complaints[f"{record.levelname} {record.name}: {text}"] = None


def watch_log() -> LogWatch:
    """Listen to the whole process from now on; nothing is printed."""
    watch = LogWatch()
    root = logging.getLogger()
    root.addHandler(watch)
    root.setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)
    return watch
