"""The command line; typer only, one line for every mistake of a user."""
