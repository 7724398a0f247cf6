"""What people type, as data. Standard library only: no torch, no files but the styles.

In the order in which a prompt passes through them:
styles -> comments -> networks -> composition (AND) -> syntax + timeline ([a:b:0.5], [a|b]) -> attention -> chunks.
"""
