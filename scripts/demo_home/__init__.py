"""The whole product in one command: a real Home Assistant, a home that lives through days in seconds, and checks."""
