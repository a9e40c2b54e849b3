"""Files and bytes to samples, samples to features."""
