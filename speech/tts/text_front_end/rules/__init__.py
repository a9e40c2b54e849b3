"""What a written text is scanned for, from the most particular to plain numbers."""
