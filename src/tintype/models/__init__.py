"""Models as cards, and the engines that run them."""
