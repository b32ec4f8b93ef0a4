"""The whole system on this machine: a generated stream in, verified lists out, measured by the truth."""
