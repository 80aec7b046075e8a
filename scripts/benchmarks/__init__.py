"""What Strata promises, measured: `scripts/bench` runs it all."""
