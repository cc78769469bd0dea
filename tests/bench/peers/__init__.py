"""Others who keep tickets, each in a virtual environment of its own, beside intake: `python -m tests.bench peers`."""
