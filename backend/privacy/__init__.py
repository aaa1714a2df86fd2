"""Personal data: sealed for each person, kept for as long as needed, exported and erased on request."""
