"""Event files to edit, and the demo."""
