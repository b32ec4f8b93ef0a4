"""Finds the records of one register that are one person, whatever the register's columns are.

A schema names the kind of each column; comparisons, blocking keys and roles follow from the kinds.
Method: Fellegi and Sunter, A theory for record linkage (1969), on a mixture of kinds of pairs whose
probabilities are learnt without labels by expectation-maximisation (Dempster, Laird and Rubin 1977).
"""
