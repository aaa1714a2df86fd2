"""Stripe as a payment provider: buyers pay at its hosted Checkout page (docs/operating/stripe.md)."""
