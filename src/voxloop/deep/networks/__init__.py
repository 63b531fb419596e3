"""Networks and the devices they stand on. Knows no labels."""
