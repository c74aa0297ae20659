"""The processes that import llama.cpp; run as scripts, maybe under another Python."""
