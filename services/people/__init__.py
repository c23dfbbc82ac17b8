"""Lets a directory be filled, by CSV and SCIM, and tells who is there and who is away."""
