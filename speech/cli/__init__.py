"""Command line, built on typer; every user error is one line."""
