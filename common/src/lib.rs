//! The bucket crate that both apps share: what a bucket, a record and a query are, and how queries
//! are answered. `ARCHITECTURE.md` at the top of the repository is the map.
//!
//! Modules are listed in the order of their dependencies: an earlier one never uses a later one.

#![forbid(unsafe_code)]

pub mod timestamp;

pub mod period;

pub mod value;

pub mod limits;
pub mod plain_file;
pub mod shown;

pub mod field;
pub mod room;
pub mod token;

pub mod record;

pub mod bucket;
pub mod query;
pub mod user;

pub mod audit;

pub mod aggregate;

pub mod storage;

pub mod transfer;

pub mod shape;

pub mod csv_export;

pub mod settings;
pub mod telemetry;

pub mod http;
