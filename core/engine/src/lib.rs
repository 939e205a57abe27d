//! Durable state and durable workflows in one embeddable library.
