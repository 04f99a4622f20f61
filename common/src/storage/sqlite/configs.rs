//! Configurations of buckets that were parsed, kept for as long as their rows say the same: each request begins
//! with one.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::bucket::BucketConfig;
use crate::storage::{StorageError, StorageErrorKind};

/// How many bytes of rows are kept with what was parsed from them.
const KEPT_BYTES: usize = 16 << 20;

/// What was parsed.
#[derive(Default)]
pub(super) struct Configs(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    by_name: HashMap<Box<str>, (Box<str>, BucketConfig)>,
    bytes: usize,
    #[cfg(test)]
    parsed: usize,
}

impl Configs {
    /// The configuration that the row of a bucket has as text.
    pub(super) fn parse(&self, name: &str, text: &str) -> Result<BucketConfig, StorageError> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, config)) = kept.by_name.get(name)
            && **of == *text
        {
            return Ok(config.clone());
        }
        let config = parse(text)?;
        kept.keep(name, text, &config);
        Ok(config)
    }
}

/// Parses a configuration that is wanted once.
pub(super) fn parse(text: &str) -> Result<BucketConfig, StorageError> {
    serde_json::from_str(text).map_err(|error| StorageError::new(StorageErrorKind::Internal, error))
}

impl Kept {
    fn keep(&mut self, name: &str, text: &str, config: &BucketConfig) {
        #[cfg(test)]
        {
            self.parsed += 1;
        }
        if self.bytes + text.len() > KEPT_BYTES {
            self.by_name.clear();
            self.bytes = 0;
        }
        self.bytes += text.len();
        if let Some((before, _)) = self.by_name.insert(name.into(), (text.into(), config.clone())) {
            self.bytes -= before.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::bucket::BucketName;

    fn row(name: &str, filters: usize) -> String {
        let mut config = BucketConfig::new(BucketName::parse(name).expect("a name"));
        config.schema = Some(json!({"required": ["aa"]}).into());
        config.upload_filters = vec!["x".repeat(1000); filters];
        json!(config).to_string()
    }

    fn parsed(configs: &Configs) -> usize {
        configs.0.lock().expect("nobody panicked").parsed
    }

    #[test]
    fn a_row_is_parsed_once() {
        let configs = Configs::default();
        for _ in 0..100 {
            for name in ["foo", "bar"] {
                assert_eq!(configs.parse(name, &row(name, 1)).expect("a row").name.as_str(), name);
            }
        }
        assert_eq!(parsed(&configs), 2);
        assert_eq!(configs.parse("foo", &row("foo", 2)).expect("a row").upload_filters.len(), 2);
        assert_eq!(parsed(&configs), 3);
        assert!(configs.parse("foo", "{").is_err());
        assert_eq!(configs.parse("foo", &row("foo", 2)).expect("a row").upload_filters.len(), 2);
        assert_eq!(parsed(&configs), 3);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let configs = Configs::default();
        for number in 0..40 {
            let name = format!("bucket{number}");
            assert!(configs.parse(&name, &row(&name, 1000)).is_ok());
            let kept = configs.0.lock().expect("nobody panicked");
            let bytes: usize = kept.by_name.values().map(|(text, _)| text.len()).sum();
            assert!(kept.bytes == bytes && bytes <= KEPT_BYTES);
        }
    }
}
