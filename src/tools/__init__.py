"""Business functions: how they are declared, registered, checked and called."""
