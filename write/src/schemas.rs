//! Compiled schemas, kept because compiling one takes longer than checking many records.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use backdrop_common::bucket::{BucketConfig, BucketName};
use backdrop_common::http::ApiError;
use backdrop_common::record::schema::RecordSchema;
use backdrop_common::storage::{StorageError, StorageErrorKind};
use serde_json::Value as Json;

/// The last compiled schema of each bucket, with the text that it was compiled from.
#[derive(Default)]
pub(crate) struct Schemas(Mutex<HashMap<BucketName, (Json, Arc<RecordSchema>)>>);

impl Schemas {
    /// The compiled schema of a bucket that has one.
    pub(crate) fn of(&self, bucket: &BucketConfig) -> Result<Option<Arc<RecordSchema>>, ApiError> {
        let Some(schema) = &bucket.schema else { return Ok(None) };
        let mut schemas = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((text, compiled)) = schemas.get(&bucket.name)
            && text == schema
        {
            return Ok(Some(Arc::clone(compiled)));
        }
        let compiled = RecordSchema::compile(schema)
            .map(Arc::new)
            .map_err(|reason| StorageError::new(StorageErrorKind::Internal, reason))?;
        schemas.insert(bucket.name.clone(), (schema.clone(), Arc::clone(&compiled)));
        Ok(Some(compiled))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_changed_schema_is_compiled_again() {
        let schemas = Schemas::default();
        let name = BucketName::parse("foo").expect("a name");
        let mut bucket = BucketConfig::new(name);
        let compiled = |bucket: &BucketConfig| schemas.of(bucket).expect("a schema");
        assert!(compiled(&bucket).is_none());
        bucket.schema = Some(json!({"required": ["aa"]}));
        let first = compiled(&bucket).expect("a schema");
        assert!(Arc::ptr_eq(&first, &compiled(&bucket).expect("a schema")));
        bucket.schema = Some(json!({"required": ["bb"]}));
        assert!(!Arc::ptr_eq(&first, &compiled(&bucket).expect("a schema")));
    }
}
