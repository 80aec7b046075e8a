"""Anomalies in simulated homes with planted faults: ours beside the usual methods, on homes never used for tuning."""
