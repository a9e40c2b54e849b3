"""Speech-to-speech translation: what is translated is said while the speaker goes on."""
