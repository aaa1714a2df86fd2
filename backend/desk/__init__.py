"""The organiser's desk: accounts, roles, sign-in, the audit log. Its pages are in `backend.web.desk`."""
