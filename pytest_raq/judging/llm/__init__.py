"""A language model as judge: asked, budgeted, and read strictly."""
