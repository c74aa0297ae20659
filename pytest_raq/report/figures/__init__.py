"""Pictures: drawn as SVG, or as files for papers."""
