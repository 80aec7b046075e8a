"""Anomalies on the side of Home Assistant: what is watched, what is told to whom, and what the user said of it."""
