"""Text models: what is asked of them, and the strings that their tokens stand for."""
