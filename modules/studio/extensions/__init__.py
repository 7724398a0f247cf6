"""Extensions on disk: which there are, which are on, in which order their files come, and what went wrong with them."""
