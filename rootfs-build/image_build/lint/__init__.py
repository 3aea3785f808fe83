"""Rules that an image must keep before anybody can use it: one file a rule in rules/, named after what it prevents."""
