"""Recipes: what is asked, validated at the door, and carried out."""
