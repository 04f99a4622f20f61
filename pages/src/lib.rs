//! What the pages of both apps have in common: their layout, the stylesheet, charts, and the headers
//! that a browser is sent with them. Knows nothing of buckets.

#![forbid(unsafe_code)]

mod assets;
pub mod chart;
mod page;

pub use assets::{assets, stylesheet};
pub use page::{CONTENT_SECURITY_POLICY, Page};
