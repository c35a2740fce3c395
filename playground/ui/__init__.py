"""The page: one file per tab, and what they share."""
