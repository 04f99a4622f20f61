//! Compiled schemas, kept because compiling one takes longer than checking many records.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use backdrop_common::bucket::{BucketConfig, BucketName, SchemaText};
use backdrop_common::http::ApiError;
use backdrop_common::record::schema::RecordSchema;
use rocket::tokio::task::spawn_blocking;

/// The last compiled schema of each bucket, with the text that it was compiled from.
#[derive(Default)]
pub(crate) struct Schemas(Mutex<HashMap<BucketName, Compiled>>);

struct Compiled {
    text: SchemaText,
    schema: Result<Arc<RecordSchema>, String>,
}

impl Schemas {
    /// The compiled schema of a bucket that has one.
    ///
    /// # Errors
    ///
    /// [`ApiError::UnusableSchema`] if it is none that this version saves.
    pub(crate) async fn of(&self, bucket: &BucketConfig) -> Result<Option<Arc<RecordSchema>>, ApiError> {
        let Some(text) = &bucket.schema else { return Ok(None) };
        let known = self.known(&bucket.name, text);
        let schema = if let Some(known) = known {
            known
        } else {
            let (parsed, text) = (text.clone(), text.clone());
            let schema = spawn_blocking(move || compile(&parsed)).await.map_err(|_| ApiError::Internal)?;
            self.keep(&bucket.name, Compiled { text, schema: schema.clone() });
            schema
        };
        schema.map(Some).map_err(ApiError::UnusableSchema)
    }

    fn known(&self, bucket: &BucketName, text: &SchemaText) -> Option<Result<Arc<RecordSchema>, String>> {
        let kept = self.lock();
        let known = kept.get(bucket).filter(|compiled| compiled.text == *text)?;
        Some(known.schema.clone())
    }

    fn keep(&self, bucket: &BucketName, compiled: Compiled) {
        if let Err(reason) = &compiled.schema {
            tracing::error!(target: "backdrop::error", %bucket, reason, "a stored schema cannot be used");
        }
        self.lock().insert(bucket.clone(), compiled);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<BucketName, Compiled>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn compile(text: &SchemaText) -> Result<Arc<RecordSchema>, String> {
    let schema = text.parse().map_err(|error| error.to_string())?;
    RecordSchema::compile(&schema).map(Arc::new)
}

#[cfg(test)]
mod tests {
    use rocket::tokio;
    use serde_json::{Value as Json, json};

    use super::*;

    fn bucket(schema: Json) -> BucketConfig {
        let mut bucket = BucketConfig::new(BucketName::parse("foo").expect("a name"));
        bucket.schema = Some(schema.into());
        bucket
    }

    #[tokio::test]
    async fn a_changed_schema_is_compiled_again() {
        let schemas = Schemas::default();
        let bare = BucketConfig::new(BucketName::parse("foo").expect("a name"));
        assert!(schemas.of(&bare).await.expect("none").is_none());
        let compiled = async |schema| schemas.of(&bucket(schema)).await.expect("a schema").expect("a schema");
        let first = compiled(json!({"required": ["aa"]})).await;
        assert!(Arc::ptr_eq(&first, &compiled(json!({"required": ["aa"]})).await));
        assert!(!Arc::ptr_eq(&first, &compiled(json!({"required": ["bb"]})).await));
    }

    #[tokio::test]
    async fn a_schema_of_an_earlier_version_may_be_of_no_use() {
        let schemas = Schemas::default();
        let bucket = bucket(json!({"properties": {"aa": {"pattern": "^(?!x)"}}}));
        for _ in 0..2 {
            let refused = schemas.of(&bucket).await;
            assert!(
                matches!(&refused, Err(ApiError::UnusableSchema(reason)) if reason.contains("look-around"))
            );
        }
    }
}
