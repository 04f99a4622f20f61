//! What measures Backdrop: the data, the queries, and how what was measured is put in order.
//!
//! The criterion benches in `benches/` and the program in `main.rs` both stand on this.

#![forbid(unsafe_code)]

pub mod random;

pub mod records;
pub mod shapes;

pub mod queries;

pub mod statistics;

pub mod answer;
pub mod http;

pub mod embedded;
