"""What the command line calls and scripts can call."""
