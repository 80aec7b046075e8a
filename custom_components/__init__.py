"""Makes the folder a regular package, so that the test rig's own `custom_components` does not shadow it."""
