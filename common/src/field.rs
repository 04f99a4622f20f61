//! Names of fields: which are well formed, which are reserved.
//!
//! ```text
//! field    = ( letter | "_" ) ( letter | digit | "_" )+      (ASCII, either case)
//! reserved = a field that starts with "_"
//! ```

use std::fmt;
use std::sync::Arc;

/// The name of a field, checked: a record's key, or what a query filters, groups, sorts or collects
/// by. Nothing else reaches an engine, so nothing that starts with `$` or holds a dot does.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldName(Arc<str>);

impl FieldName {
    /// Takes the name if it is well formed.
    pub fn parse(name: &str) -> Option<Self> {
        is_field_name(name).then(|| Self(name.into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it starts with an underscore, and so is ours.
    pub fn is_reserved(&self) -> bool {
        self.0.starts_with('_')
    }
}

impl fmt::Display for FieldName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Whether a text is well formed as a field's name.
pub fn is_field_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    bytes.len() >= 2
        && !bytes[0].is_ascii_digit()
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// The reserved keys that a client may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReservedKey {
    /// `_id`: names the record in its bucket.
    Id,
    /// `_timestamp`: when it happened; decides its periods.
    Timestamp,
    /// `_start_at`: the start of the span that it covers.
    StartAt,
    /// `_end_at`: the end of the span that it covers.
    EndAt,
}

impl ReservedKey {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Id, Self::Timestamp, Self::StartAt, Self::EndAt];

    /// The reserved key with that name. Reserved names are lower case only.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "_id" => Some(Self::Id),
            "_timestamp" => Some(Self::Timestamp),
            "_start_at" => Some(Self::StartAt),
            "_end_at" => Some(Self::EndAt),
            _ => None,
        }
    }
}

/// The reserved key under which a record shows when it was stored.
pub const UPDATED_AT: &str = "_updated_at";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_formed_names() {
        for name in ["ab", "foo", "_foo", "camelCase", "UPPER", "with9digits", "__", "_1"] {
            assert!(is_field_name(name), "{name}");
        }
        for name in
            ["", "f", "_", "1foo", "foo-bar", "foo bar", "foo.bar", "$foo", "café", "foo\n", " foo", "a:b"]
        {
            assert!(!is_field_name(name), "{name}");
        }
    }

    #[test]
    fn reserved_keys_are_lower_case() {
        assert_eq!(ReservedKey::parse("_timestamp"), Some(ReservedKey::Timestamp));
        assert_eq!(ReservedKey::parse("_Timestamp"), None);
        assert_eq!(ReservedKey::parse("_updated_at"), None);
    }
}
