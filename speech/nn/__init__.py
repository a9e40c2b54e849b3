"""Neural network layers: encoders, label decoder, CTC, adapters and CPU kernels. They never read files."""
