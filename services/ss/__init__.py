"""DSS_SS: records the channels of its node, finds recordings and plays them back."""
