"""Live sessions: their state and events, and the one engine that steps them."""
