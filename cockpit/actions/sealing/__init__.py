"""Secrets from nothing: values made after the template, recipients and rules, and files that every reader is proven to open."""
