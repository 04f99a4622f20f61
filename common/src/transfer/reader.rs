//! Reads a file of documents, one after the other, and trusts nothing in it.

use std::fmt;
use std::io::{self, ErrorKind, Read};

use sha2::{Digest, Sha256};

use super::manifest::Contents;
use crate::audit::AuditLine;
use crate::excerpt::beginning;
use crate::record::bounds::OutOfBounds;
use crate::record::{Record, RecordId};
use crate::storage::{StorageError, StoredRecord, audit_document, document, registry_document};
use crate::timestamp::Timestamp;

/// The largest document that MongoDB takes or dumps: 16 MiB, and as much as it adds by itself.
pub const MAX_DOCUMENT: usize = 16 * 1024 * 1024 + 16 * 1024;
/// The length and the closing zero.
const MIN_DOCUMENT: usize = 5;

/// What is wrong with a file of documents, and where.
#[derive(Debug)]
pub struct DumpFault {
    /// The place where the document starts, in the file as it is without compression.
    pub offset: u64,
    /// What is wrong with it.
    pub kind: DumpFaultKind,
}

/// What is wrong with a file of documents.
#[derive(Debug, thiserror::Error)]
pub enum DumpFaultKind {
    /// The file ends within a document, or its compressed form does.
    #[error("the file is cut off")]
    CutOff,
    /// A document has a size that none can have.
    #[error("damaged: a document of {0} bytes")]
    Length(i32),
    /// A document does not end where it says.
    #[error("damaged: a document does not end where it should")]
    NoEnd,
    /// The file cannot be read or unpacked.
    #[error("cannot be read: {0}")]
    Unreadable(io::Error),
    /// The document is not what the file is to hold.
    #[error("{0}")]
    Document(String),
}

impl fmt::Display for DumpFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "byte {}: {}", self.offset, self.kind)
    }
}

impl From<io::Error> for DumpFaultKind {
    fn from(error: io::Error) -> Self {
        if error.kind() == ErrorKind::UnexpectedEof { Self::CutOff } else { Self::Unreadable(error) }
    }
}

/// Reads documents, and counts and hashes them on the way.
pub struct DumpReader<R> {
    input: R,
    document: Vec<u8>,
    documents: u64,
    offset: u64,
    digest: Sha256,
}

impl<R: Read> DumpReader<R> {
    /// Reads from there on.
    pub fn new(input: R) -> Self {
        Self { input, document: Vec::new(), documents: 0, offset: 0, digest: Sha256::new() }
    }

    /// The bytes of the next document, with the place where they start; none at the end.
    ///
    /// # Errors
    ///
    /// If the file is damaged. What is in the document is not looked at.
    pub fn read(&mut self) -> Result<Option<(u64, &[u8])>, DumpFault> {
        let offset = self.offset;
        match self.read_document() {
            Ok(true) => Ok(Some((offset, &self.document))),
            Ok(false) => Ok(None),
            Err(kind) => Err(DumpFault { offset, kind }),
        }
    }

    /// The next record, with the time `now` where it has no time of writing; none at the end.
    ///
    /// # Errors
    ///
    /// If the file is damaged, or what it holds is no record, or one larger than a record may be.
    pub fn read_record(&mut self, now: Timestamp) -> Result<Option<StoredRecord>, DumpFault> {
        let Some((offset, bytes)) = self.read()? else { return Ok(None) };
        let fault = |error: StorageError| DumpFault::document(offset, error.cause());
        let stored = document::read_foreign(bytes, now).map_err(fault)?;
        match stored.record.check_bounds() {
            Ok(()) => Ok(Some(stored)),
            Err(fault) => Err(DumpFault::document(offset, beyond(&stored.record, &fault))),
        }
    }

    /// The next entry of the audit log; none at the end.
    ///
    /// # Errors
    ///
    /// If the file is damaged, or what it holds is no entry that this version knows.
    pub fn read_audit(&mut self) -> Result<Option<AuditLine>, DumpFault> {
        let Some((offset, bytes)) = self.read()? else { return Ok(None) };
        let document = registry_document::parse(bytes).map_err(|fault| DumpFault::document(offset, fault))?;
        let line = audit_document::decode(&document);
        line.map(Some).map_err(|error| DumpFault::document(offset, error.cause()))
    }

    /// How many bytes were read.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// What was read.
    pub(super) fn contents(&self) -> Contents {
        Contents::new(self.documents, self.offset, self.digest.clone())
    }

    fn read_document(&mut self) -> Result<bool, DumpFaultKind> {
        self.document.clear();
        if self.fill(4)? == 0 {
            return Ok(false);
        }
        let length = <[u8; 4]>::try_from(&*self.document).map_err(|_| DumpFaultKind::CutOff)?;
        let length = i32::from_le_bytes(length);
        let valid = usize::try_from(length).ok();
        let valid = valid.filter(|valid| (MIN_DOCUMENT..=MAX_DOCUMENT).contains(valid));
        let whole = valid.ok_or(DumpFaultKind::Length(length))?;
        if self.fill(whole)? < whole {
            return Err(DumpFaultKind::CutOff);
        }
        if self.document.last() != Some(&0) {
            return Err(DumpFaultKind::NoEnd);
        }
        self.digest.update(&self.document);
        self.documents += 1;
        self.offset += self.document.len() as u64;
        Ok(true)
    }

    /// Reads until there are so many bytes of the document, or no more. What a damaged length
    /// promises takes no memory until it is there.
    fn fill(&mut self, length: usize) -> io::Result<usize> {
        let missing = length - self.document.len();
        self.input.by_ref().take(missing as u64).read_to_end(&mut self.document)?;
        Ok(self.document.len())
    }
}

/// What is said of a record that is larger than a record may be.
fn beyond(record: &Record, fault: &OutOfBounds) -> String {
    let id = record.id.as_ref().map_or("", RecordId::as_str);
    format!("the record \"{}\" cannot be stored: {fault}", beginning(id))
}

impl DumpFault {
    /// A document is whole and cannot be taken.
    pub(super) fn document(offset: u64, fault: impl fmt::Display) -> Self {
        Self { offset, kind: DumpFaultKind::Document(fault.to_string()) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EMPTY: [u8; 5] = [5, 0, 0, 0, 0];

    /// How many documents are read before the fault.
    #[track_caller]
    fn check(bytes: &[u8], documents: u64, fault: &str) {
        let mut reader = DumpReader::new(bytes);
        let message = loop {
            match reader.read() {
                Ok(Some(_)) => {}
                Ok(None) => break String::new(),
                Err(fault) => break fault.to_string(),
            }
        };
        assert_eq!((reader.contents().documents, message.as_str()), (documents, fault));
    }

    #[test]
    fn documents_and_damage() {
        let after = |bytes: &[u8]| [&EMPTY, bytes].concat();
        check(&[], 0, "");
        check(&EMPTY, 1, "");
        check(&after(&EMPTY), 2, "");
        check(&after(&[5, 0]), 1, "byte 5: the file is cut off");
        check(&after(&[5, 0, 0, 0]), 1, "byte 5: the file is cut off");
        check(&[0; 5], 0, "byte 0: damaged: a document of 0 bytes");
        check(&[4, 0, 0, 0, 0], 0, "byte 0: damaged: a document of 4 bytes");
        check(&[5, 0, 0, 0, 1], 0, "byte 0: damaged: a document does not end where it should");
        check(&after(&[0xff; 9]), 1, "byte 5: damaged: a document of -1 bytes");
        check(&[0, 0, 0, 2, 0], 0, "byte 0: damaged: a document of 33554432 bytes");
        check(&[0, 0x40, 0, 1, 0], 0, "byte 0: the file is cut off");
        check(&[1, 0x40, 0, 1, 0], 0, "byte 0: damaged: a document of 16793601 bytes");
    }

    #[test]
    fn a_document_that_is_no_record() {
        let mut reader = DumpReader::new(EMPTY.as_slice());
        let fault = reader.read_record(Timestamp::MIN).expect_err("a fault");
        assert_eq!(fault.to_string(), "byte 0: _id is not text without white space");
    }

    proptest! {
        #[test]
        fn what_is_read_is_what_is_there(
            parts in prop::collection::vec(
                prop_oneof![
                    3 => Just(EMPTY.to_vec()),
                    1 => Just(b"\x11\0\0\0\x02_id\0\x03\0\0\0aa\0\0".to_vec()),
                    1 => prop::collection::vec(any::<u8>(), 0..12),
                ],
                0..6,
            ),
        ) {
            let bytes = parts.concat();
            let mut reader = DumpReader::new(bytes.as_slice());
            while let Ok(Some(_)) = reader.read_record(Timestamp::MIN) {}
            let mut reader = DumpReader::new(bytes.as_slice());
            let mut read = Vec::new();
            let end = loop {
                match reader.read() {
                    Ok(Some((_, document))) => read.extend_from_slice(document),
                    Ok(None) => break bytes.len() as u64,
                    Err(fault) => break fault.offset,
                }
            };
            prop_assert!(bytes.starts_with(&read));
            prop_assert_eq!(read.len() as u64, end);
        }
    }
}
