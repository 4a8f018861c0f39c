"""DSS_MTS: takes each camera's stream once and gives it to any number of viewers."""
