"""Python's collector of cycles, told not to hold up a service with many experiments."""

import gc

# Of the younger generations; theirs are short. Python's own is 10.
_ROUNDS_UNTIL_FULL = 1000


def calm_collector() -> None:
    """Look through all that lives a hundred times more seldom, and never at what is there by now.

    A full collection stops every thread for as long as it looks at the objects of all windows, some
    hundred milliseconds of thousands, and rounds make many objects. Nearly all are freed without it.
    """
    gc.collect()
    gc.freeze()
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, _ROUNDS_UNTIL_FULL)
