"""Reference pages made of the code: ``make reference`` writes docs/reference."""
