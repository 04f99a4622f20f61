//! Entries of the audit log as BSON documents: what MongoDB keeps of them, and what an export holds.
//!
//! ```text
//! _audit  { _id: position, at, by, action, bucket, detail, address, request_id }
//! ```

use std::net::IpAddr;

use bson::{Bson, Document, doc};

use super::document::damaged;
use super::error::StorageError;
use crate::audit::{AuditAction, AuditEntry, AuditLine, AuditPosition};
use crate::bucket::BucketName;
use crate::timestamp::Timestamp;

/// The document of an entry.
pub(crate) fn encode(AuditLine { position, entry }: &AuditLine) -> Document {
    // Taken apart, so that a new part is not forgotten here.
    let AuditEntry { at, by, action, bucket, detail, address, request_id } = entry;
    doc! {
        "_id": position.0,
        "at": bson::DateTime::from_millis(at.millis()),
        "by": by,
        "action": action.name(),
        "bucket": bucket.as_ref().map(BucketName::as_str),
        "detail": detail,
        "address": address.map(|address| address.to_string()),
        "request_id": request_id.as_deref(),
    }
}

/// The entry of a document.
///
/// # Errors
///
/// If it is damaged, or of an action that only a newer version knows.
pub(crate) fn decode(document: &Document) -> Result<AuditLine, StorageError> {
    let text = |key| document.get_str(key).map_err(damaged);
    let action = text("action")?;
    let action = AuditAction::parse(action)
        .ok_or_else(|| damaged(format!("\"{action}\" is no action that this version knows")))?;
    let at = Timestamp::from_millis(document.get_datetime("at").map_err(damaged)?.timestamp_millis());
    let bucket = optional_text(document, "bucket")?.map(BucketName::parse);
    let address = optional_text(document, "address")?.map(str::parse::<IpAddr>);
    let entry = AuditEntry {
        at: at.ok_or_else(|| damaged("a time out of range"))?,
        by: text("by")?.to_owned(),
        action,
        bucket: bucket.transpose().map_err(damaged)?,
        detail: text("detail")?.to_owned(),
        address: address.transpose().map_err(damaged)?,
        request_id: optional_text(document, "request_id")?.map(str::to_owned),
    };
    Ok(AuditLine { position: position(document)?, entry })
}

fn position(document: &Document) -> Result<AuditPosition, StorageError> {
    let position = AuditPosition(document.get_i64("_id").map_err(damaged)?);
    let valid = (1..=AuditPosition::MAX.0).contains(&position.0);
    if valid { Ok(position) } else { Err(damaged("a position out of range")) }
}

fn optional_text<'d>(document: &'d Document, key: &str) -> Result<Option<&'d str>, StorageError> {
    match document.get(key) {
        None | Some(Bson::Null) => Ok(None),
        Some(Bson::String(text)) => Ok(Some(text)),
        Some(_) => Err(damaged(format!("{key} is no text"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> AuditLine {
        let entry = AuditEntry {
            at: Timestamp::parse("2014-01-01T12:30:00.125").expect("a time"),
            by: "ann@example.org".to_owned(),
            action: AuditAction::RotateToken,
            bucket: BucketName::parse("foo").ok(),
            detail: "the old one is valid until noon".to_owned(),
            address: "2001:db8::1".parse().ok(),
            request_id: Some("5b6c".to_owned()),
        };
        AuditLine { position: AuditPosition(1_388_579_400_125_000), entry }
    }

    #[test]
    fn an_entry_reads_back() {
        let bare = AuditEntry { bucket: None, address: None, request_id: None, ..full().entry };
        for line in [full(), AuditLine { entry: bare, ..full() }] {
            assert_eq!(decode(&encode(&line)).ok(), Some(line));
        }
        let mut bare = encode(&full());
        for absent in ["bucket", "address", "request_id"] {
            bare.remove(absent);
        }
        assert!(decode(&bare).is_ok_and(|line| line.entry.bucket.is_none()));
    }

    #[test]
    fn faults_of_entries() {
        let faults = [
            ("_id", Bson::Int64(0)),
            ("_id", Bson::Int64(i64::MAX)),
            ("_id", Bson::Null),
            ("at", Bson::DateTime(bson::DateTime::MAX)),
            ("by", Bson::Null),
            ("action", "levitate".into()),
            ("bucket", "1foo".into()),
            ("detail", Bson::Null),
            ("address", "somewhere".into()),
            ("request_id", Bson::Int32(5)),
        ];
        for (key, value) in faults {
            let mut document = encode(&full());
            document.insert(key, value.clone());
            assert!(decode(&document).is_err(), "{key}: {value}");
        }
    }
}
