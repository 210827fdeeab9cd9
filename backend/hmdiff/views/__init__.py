"""Several synchronised cameras on one motion, with or without calibration."""
