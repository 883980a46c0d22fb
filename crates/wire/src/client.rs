//! A typed client of the Admin API.
