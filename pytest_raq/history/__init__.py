"""Runs that were kept: trends, marks, and the database that many jobs share."""
