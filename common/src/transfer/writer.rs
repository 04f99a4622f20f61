//! Writes the files of an export: for their owner only, and on the disk when they are finished.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

use super::TransferError;
use super::error::at;
use super::folder::DumpFile;
use super::manifest::Contents;

/// Makes a file that is not there yet.
pub(super) fn create(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// A file that is being written, compressed or not.
enum Output {
    Plain(BufWriter<File>),
    Gzip(Box<GzEncoder<BufWriter<File>>>),
}

impl Output {
    fn create(file: &DumpFile) -> io::Result<Self> {
        let output = BufWriter::new(create(&file.path)?);
        Ok(if file.gzip {
            Self::Gzip(Box::new(GzEncoder::new(output, Compression::default())))
        } else {
            Self::Plain(output)
        })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(output) => output.write_all(bytes),
            Self::Gzip(output) => output.write_all(bytes),
        }
    }

    fn finish(self) -> io::Result<()> {
        let output = match self {
            Self::Plain(output) => output,
            Self::Gzip(output) => output.finish()?,
        };
        output.into_inner()?.sync_all()
    }
}

/// Writes documents, and counts and hashes them on the way.
pub(super) struct DumpWriter {
    file: DumpFile,
    output: Output,
    documents: u64,
    bytes: u64,
    digest: Sha256,
}

impl DumpWriter {
    pub(super) fn create(file: DumpFile) -> Result<Self, TransferError> {
        let output = Output::create(&file).map_err(at("write", &file.path))?;
        Ok(Self { file, output, documents: 0, bytes: 0, digest: Sha256::new() })
    }

    pub(super) fn write(&mut self, document: &[u8]) -> Result<(), TransferError> {
        self.output.write(document).map_err(at("write", &self.file.path))?;
        self.digest.update(document);
        self.documents += 1;
        self.bytes += document.len() as u64;
        Ok(())
    }

    pub(super) fn finish(self) -> Result<Contents, TransferError> {
        self.output.finish().map_err(at("write", &self.file.path))?;
        Ok(Contents::new(self.documents, self.bytes, self.digest))
    }
}

/// Writes what `mongorestore` wants to know about a collection: that it has no index but that of
/// its ids. An engine makes those that it needs by itself.
pub(super) fn write_metadata(file: &DumpFile, collection: &str) -> Result<(), TransferError> {
    let metadata = serde_json::json!({
        "options": {},
        "indexes": [{"v": 2, "key": {"_id": 1}, "name": "_id_"}],
        "collectionName": collection,
        "type": "collection",
    });
    let write = || {
        let mut output = Output::create(file)?;
        output.write(metadata.to_string().as_bytes())?;
        output.finish()
    };
    write().map_err(at("write", &file.path))
}
