"""The embedded store: every value in tiers, in one SQLite file, with no server."""
