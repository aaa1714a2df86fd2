"""Read pages as a browser without scripts does."""

import re

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def token_of(page: str) -> str:
    """The CSRF token of the page's first form."""
    found = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert found is not None, page
    return found[1]
