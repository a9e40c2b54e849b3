"""How each language says numbers, dates, times and money."""
