//! Feature files and what runs them; see `tests/`.
