"""Pure rules: no clock, no database, no network. What they need to know is passed in."""
