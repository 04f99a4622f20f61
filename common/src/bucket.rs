//! Buckets: their names and addresses, and their configuration.

mod schema_text;
pub mod seed;
mod tokens;

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::timestamp::Timestamp;

pub use schema_text::SchemaText;
pub use tokens::{BucketTokens, RetiringToken, TokenChange};

/// The name of a bucket: `^[A-Za-z][A-Za-z0-9_.-]+$`, case-sensitive.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BucketName(Arc<str>);

/// A text is no bucket name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is not a bucket name: a letter, then letters, digits, \"_\", \".\" or \"-\", two \
     characters at least"
)]
pub struct InvalidBucketName(String);

impl BucketName {
    /// Takes a name if it is well formed.
    ///
    /// # Errors
    ///
    /// [`InvalidBucketName`] with the name.
    pub fn parse(name: &str) -> Result<Self, InvalidBucketName> {
        let bytes = name.as_bytes();
        let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.-".contains(byte);
        let valid = bytes.len() >= 2 && bytes[0].is_ascii_alphabetic() && bytes.iter().all(allowed);
        if valid { Ok(Self(name.into())) } else { Err(InvalidBucketName(name.to_owned())) }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BucketName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for BucketName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", &self.0)
    }
}

impl TryFrom<String> for BucketName {
    type Error = InvalidBucketName;

    fn try_from(name: String) -> Result<Self, InvalidBucketName> {
        Self::parse(&name)
    }
}

impl From<BucketName> for String {
    fn from(name: BucketName) -> Self {
        name.as_str().to_owned()
    }
}

/// How a request names a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BucketAddress {
    /// `/<bucket>`
    Name(BucketName),
    /// `/data/<group>/<type>`: any text without `/`.
    DataType {
        /// The data group.
        data_group: String,
        /// The data type within it.
        data_type: String,
    },
}

impl fmt::Display for BucketAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(formatter, "{name}"),
            Self::DataType { data_group, data_type } => write!(formatter, "{data_group}/{data_type}"),
        }
    }
}

/// The format of the spreadsheets that are uploaded to a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UploadFormat {
    /// Comma-separated values.
    Csv,
    /// A workbook.
    Excel,
}

/// A bucket's configuration. The names are those of Backdrop's bucket seed files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "the flags of Backdrop's seed files, independent of each other"
)]
pub struct BucketConfig {
    /// The bucket's name, its first address.
    pub name: BucketName,
    /// With `data_type`, its second address; the pair is unique. Both are set, or neither.
    pub data_group: Option<String>,
    /// See `data_group`.
    pub data_type: Option<String>,
    /// Whether records may be read as they are, and spans shorter than a week.
    pub raw_queries_allowed: bool,
    /// Whether the read app answers for it at all.
    pub queryable: bool,
    /// Whether its answers may be cached and come without a warning.
    pub published: bool,
    /// Whether its answers are cached for two minutes only, and `capped_size` applies.
    pub realtime: bool,
    /// Bytes of stored records beyond which a realtime bucket drops those written first.
    pub capped_size: Option<u64>,
    /// The fields whose values make the `_id`; empty for none.
    #[serde(default)]
    pub auto_ids: Vec<String>,
    /// The format of uploads.
    pub upload_format: UploadFormat,
    /// The filters that an upload runs through, by name.
    #[serde(default)]
    pub upload_filters: Vec<String>,
    /// Seconds after its newest `_timestamp` at which the bucket is stale; none: never.
    pub max_age_expected: Option<u64>,
    /// A JSON Schema that every record must satisfy.
    pub schema: Option<SchemaText>,
}

/// Backdrop's default for `max_age_expected`: 31 days.
pub const DEFAULT_MAX_AGE_EXPECTED: u64 = 2_678_400;

impl BucketConfig {
    /// A bucket with that name and every setting at its default.
    pub fn new(name: BucketName) -> Self {
        Self {
            name,
            data_group: None,
            data_type: None,
            raw_queries_allowed: false,
            queryable: true,
            published: true,
            realtime: false,
            capped_size: None,
            auto_ids: Vec::new(),
            upload_format: UploadFormat::Csv,
            upload_filters: Vec::new(),
            max_age_expected: Some(DEFAULT_MAX_AGE_EXPECTED),
            schema: None,
        }
    }

    /// The second address, if there is one.
    pub fn data_type_address(&self) -> Option<BucketAddress> {
        let (data_group, data_type) = self.data_group.clone().zip(self.data_type.clone())?;
        Some(BucketAddress::DataType { data_group, data_type })
    }

    /// By how many seconds a bucket whose newest record is from `newest` is older than expected; none
    /// if it is not, or if its age is not checked.
    pub fn seconds_out_of_date(&self, newest: Timestamp, now: Timestamp) -> Option<i64> {
        let expected = i64::try_from(self.max_age_expected?).unwrap_or(i64::MAX);
        let age = (now.millis() - newest.millis()).div_euclid(1000);
        (age > expected).then(|| age - expected)
    }

    /// Bytes of stored records that are kept, where there is a limit.
    pub fn cap(&self) -> Option<u64> {
        self.capped_size.filter(|_| self.realtime)
    }
}

/// A bucket as it is stored: its configuration and what is kept of its tokens.
#[derive(Clone, Debug)]
pub struct Bucket {
    /// The configuration.
    pub config: BucketConfig,
    /// The hashes of its bearer tokens; a bucket without one takes no writes.
    pub tokens: BucketTokens,
}

impl Bucket {
    /// The bucket's name.
    pub fn name(&self) -> &BucketName {
        &self.config.name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bucket_names() {
        for name in ["ab", "Mixed_Case", "odd-name.set", "a1"] {
            assert!(BucketName::parse(name).is_ok(), "{name}");
        }
        for name in ["", "a", "_hidden", "1name", "bad name", "bäd", "$bad", "a/b", "ab\n"] {
            assert!(BucketName::parse(name).is_err(), "{name}");
        }
    }

    #[track_caller]
    fn check_age(max_age_expected: Option<u64>, newest: &str, seconds_out_of_date: Option<i64>) {
        let at = |text| Timestamp::parse(text).expect("a time");
        let name = BucketName::parse("foo").expect("a name");
        let bucket = BucketConfig { max_age_expected, ..BucketConfig::new(name) };
        assert_eq!(bucket.seconds_out_of_date(at(newest), at("2014-06-01T12:00")), seconds_out_of_date);
    }

    #[test]
    fn when_a_bucket_is_stale() {
        check_age(Some(3600), "2014-06-01T11:00", None);
        check_age(Some(3600), "2014-06-01T10:59:59", Some(1));
        check_age(Some(0), "2014-06-01T11:59", Some(60));
        check_age(Some(3600), "2014-06-02", None);
        check_age(None, "0001-01-01", None);
        check_age(Some(u64::MAX), "0001-01-01", None);
    }
}
