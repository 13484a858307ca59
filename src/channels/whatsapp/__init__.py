"""WhatsApp providers: one file each, with shared conversion and identity rules."""
