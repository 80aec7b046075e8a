"""Mirrors: every stored point, on a server that speaks InfluxDB's line protocol."""
