"""The page: Gradio components in A1111's places, with its own scripts for progress, pictures and settings."""
