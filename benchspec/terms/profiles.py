"""Which steps a profile is of."""

#: the first step that is looked at, from 1: those before it warm up
FIRST = 4
#: how many are
STEPS = 3
