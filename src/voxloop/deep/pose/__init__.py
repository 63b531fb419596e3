"""Networks that learn places: nodes of animals, points to count, boxes. One loop, one network, several heads."""
