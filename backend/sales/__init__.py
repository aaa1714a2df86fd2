"""Selling: the till, orders, payments, expiry (design 7)."""
