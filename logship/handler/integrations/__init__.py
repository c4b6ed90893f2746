"""One module a framework: what it serves and whom it calls, one completion record each. Import the one you use."""
