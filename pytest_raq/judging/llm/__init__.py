"""A language model as judge: requests within a budget, replies read strictly."""
