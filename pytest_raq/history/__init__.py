"""Stored runs: trends, marks, and the database that many jobs share."""
