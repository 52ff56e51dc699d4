"""Reference pages made from the code, one maker a page."""
