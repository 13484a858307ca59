"""Offline evaluation: cases played through the production graph, with neither database nor channel."""
