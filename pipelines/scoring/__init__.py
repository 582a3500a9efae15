"""The daily scoring job."""
