//! Feature files and what runs them; see `tests/`.

#![forbid(unsafe_code)]
