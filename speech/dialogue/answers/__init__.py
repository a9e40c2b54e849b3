"""Where the answers of a dialogue come from. An *answer* is the text, a *reply* what is said of it."""
