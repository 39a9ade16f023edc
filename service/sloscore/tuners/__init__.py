"""Reports in the words of optimisation libraries; each module needs its library's extra."""
