"""From watches to work: events fill stores, stores wake queues, queues call reconcilers."""
