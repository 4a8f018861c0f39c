"""DSS_ARS: devices that dial in by themselves are logged in to, kept, and asked through their own socket."""
