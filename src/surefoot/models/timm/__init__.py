"""timm's encoders: by name, file or folder, and the way back."""
