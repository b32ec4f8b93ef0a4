"""The published interfaces as code: events, commands, outputs, topics, and how each is identified.

Everything here is pure. `docs/contracts/` is generated from this package by `make contracts`.
"""
