"""From labelled structures to thresholds and risks."""
