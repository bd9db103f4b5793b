"""Run logs, annotated structures, plots and reports."""
