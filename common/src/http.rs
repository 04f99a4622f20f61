//! What both apps need of HTTP: errors as answers, bearer tokens, clients that go away,
//! request ids, wrong methods, conditional requests. This and the apps are all that knows Rocket.

mod bearer;
mod client;
mod client_address;
mod conditional;
mod error;
mod launch;
mod listener;
mod methods;
mod refusal;
mod request_id;
mod sent_data;
mod server;
mod strict;
mod under_way;

pub use bearer::{Authorization, log_refused};
pub use client::{Client, Clients};
pub use client_address::ClientAddress;
pub use conditional::{etag, is_fresh};
pub use error::{ApiError, catchers};
pub use launch::{LaunchError, launch};
pub use methods::with_other_methods;
pub use refusal::refused;
pub use request_id::{RequestId, RequestLog};
pub use sent_data::{SentData, is_media_type};
pub use server::{config, health, liveness};
pub use strict::StrictRequests;

use rocket::request::FromParam;

use crate::bucket::{BucketAddress, BucketName};

/// A path segment that names a bucket.
impl<'a> FromParam<'a> for BucketName {
    type Error = ApiError;

    fn from_param(name: &'a str) -> Result<Self, ApiError> {
        Self::parse(name).map_err(|_| ApiError::BucketNotFound)
    }
}

/// The second address of a bucket. Both parts are there: a path with two slashes in a row, or one at its
/// end, is unknown ([`StrictRequests`]).
pub fn data_type_address(data_group: &str, data_type: &str) -> BucketAddress {
    BucketAddress::DataType { data_group: data_group.to_owned(), data_type: data_type.to_owned() }
}
