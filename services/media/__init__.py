"""What the services that handle pictures share: admission by tokens, and the list of channels."""
