"""Telling subscribers: who asked to be told, what they are sent, and that it arrives."""
