"""DSS_MGW: tells decoders and services which DSS_MTS has a stream, and on which address."""
