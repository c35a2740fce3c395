"""Plain numbers in, drawings out."""
