"""Training: configuration, the loop, schedules, averaging."""
