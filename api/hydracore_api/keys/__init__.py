"""What an API key may ask about itself."""
