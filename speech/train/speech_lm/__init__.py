"""Training of speech language models: text and codes to codes."""
