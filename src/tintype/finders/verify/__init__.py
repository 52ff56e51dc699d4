"""Whether one picture is a copy of another, worked out on their thumbnails, and how the two are related."""
