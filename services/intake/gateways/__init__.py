"""Adapters to what lies outside: each says what it needs in plain values, and raises named errors."""
