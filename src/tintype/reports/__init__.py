"""What a collection holds, as figures and as one HTML file."""
