"""The client classes and the operations bound to them."""
