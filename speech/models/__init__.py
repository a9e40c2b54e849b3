"""Assembles layers into models; loads and saves them."""
