"""When a sampled training is first looked at."""

#: optimizer steps before the first look at what is known
FIRST_LOOK = 30
