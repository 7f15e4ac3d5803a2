"""From objects of a class to lines, by its annotations."""
