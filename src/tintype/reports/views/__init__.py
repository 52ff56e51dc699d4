"""What each section of the report shows, made of what it is handed."""
