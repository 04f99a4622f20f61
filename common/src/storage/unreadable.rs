//! Buckets whose stored configurations nobody can read.

use std::fmt::Display;

use crate::shown::beginning;

/// A bucket that is left out of lists.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the configuration of bucket {name} cannot be read: {reason}")]
pub struct UnreadableBucket {
    /// The name under which it is stored.
    pub name: String,
    /// What is wrong with it.
    pub reason: String,
}

impl UnreadableBucket {
    pub(crate) fn new(name: String, reason: &(impl Display + ?Sized)) -> Self {
        Self { name, reason: beginning(&reason.to_string()).into_owned() }
    }

    /// Says in the log that it is left out.
    pub(crate) fn log(&self) {
        tracing::error!(target: "backdrop::error", error = %self, "a bucket is left out");
    }
}
