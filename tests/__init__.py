"""The tests: a package of its own name, so that no library that brings a folder of tests stands before it."""
