"""`truestub`, the command line of operators and organisers."""
