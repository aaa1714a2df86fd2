"""HTTP: routes that parse, call a feature, and answer."""
