"""Pure decisions: no Home Assistant, no input or output."""
