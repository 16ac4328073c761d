"""First boot: stages reported with a rising number, identity, key, first release."""
