//! Zips that unpack to far more than they are: refused before anything keeps what they unpack to.

use std::collections::HashMap;
use std::io::{Cursor, Read};

use zip::ZipArchive;

use super::fault::Rule;
use super::format::part_name;

/// The parts of a workbook that are XML, by their names.
pub(crate) type Parts = HashMap<String, Vec<u8>>;

/// Unpacks every entry of a workbook, counts, and keeps what is XML.
///
/// # Errors
///
/// [`Rule::Unpacked`] past `max` bytes, [`Rule::Damaged`] for what calamine cannot read or must
/// not be given.
pub(crate) fn unpack(bytes: &[u8], max: usize) -> Result<Parts, Rule> {
    let damaged = |error: &dyn std::fmt::Display| Rule::Damaged(error.to_string());
    let mut zip = ZipArchive::new(Cursor::new(bytes)).map_err(|error| damaged(&error))?;
    let mut unpacked = 0;
    let mut parts = Parts::new();
    for index in 0..zip.len() {
        let file = zip.by_index(index).map_err(|error| damaged(&error))?;
        let name = part_name(&String::from_utf8_lossy(file.name_raw()));
        let mut entry = Vec::new();
        // What the entry says about its size is not asked: it may say anything.
        let left = u64::try_from(max - unpacked).unwrap_or(u64::MAX);
        file.take(left.saturating_add(1)).read_to_end(&mut entry).map_err(|error| damaged(&error))?;
        unpacked += entry.len();
        if unpacked > max {
            return Err(Rule::Unpacked { max });
        }
        if claims_too_much(&entry) {
            return Err(Rule::Damaged("more shared texts are announced than can be there".to_owned()));
        }
        if matches!(name.rsplit('.').next(), Some("xml" | "rels")) {
            parts.insert(name, entry);
        }
    }
    Ok(parts)
}

/// Whether a part of a workbook says that it has more texts than bytes. calamine makes room for as
/// many as are announced, and a program that asks for too much memory ends.
fn claims_too_much(entry: &[u8]) -> bool {
    const COUNT: &[u8] = b"uniqueCount";
    // In UTF-16 every other byte is zero, and XML may be in UTF-16.
    let bytes: Vec<u8> = entry.iter().copied().filter(|byte| *byte != 0).collect();
    bytes.windows(COUNT.len()).enumerate().filter(|(_, window)| *window == COUNT).any(|(place, _)| {
        // No further than to the value, if there is one: the word may be there again and again.
        let after = bytes[place + COUNT.len()..].trim_ascii_start();
        let Some(value) = after.strip_prefix(b"=") else { return false };
        let value = value.trim_ascii_start().iter().skip_while(|byte| b"\"'".contains(byte));
        let count = value
            .take_while(|byte| byte.is_ascii_digit())
            .fold(0_usize, |count, digit| count.saturating_mul(10).saturating_add(usize::from(digit - b'0')));
        count > entry.len()
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    fn check(bytes: &[u8], max: usize) -> Result<(), Rule> {
        unpack(bytes, max).map(|_| ())
    }

    fn zip(entries: &[&[u8]]) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for (index, entry) in entries.iter().enumerate() {
            zip.start_file(format!("xl/{index}"), SimpleFileOptions::default()).expect("an entry");
            zip.write_all(entry).expect("its bytes");
        }
        zip.finish().expect("a zip").into_inner()
    }

    #[test]
    fn what_it_unpacks_to_is_counted_over_all_entries() {
        let zeros = vec![b' '; 600];
        let bytes = zip(&[&zeros, &zeros]);
        assert_eq!(check(&bytes, 1200), Ok(()));
        assert_eq!(check(&bytes, 1199), Err(Rule::Unpacked { max: 1199 }));
        let bomb = zip(&[&vec![0; 10_000_000]]);
        assert!(bomb.len() < 50_000);
        assert_eq!(check(&bomb, 1_000_000), Err(Rule::Unpacked { max: 1_000_000 }));
    }

    #[test]
    fn announced_texts() {
        assert_eq!(check(&zip(&[b"<sst count=\"9\" uniqueCount=\"3\"/>"]), 1000), Ok(()));
        let utf16: Vec<u8> =
            "<sst uniqueCount = '99999999'>".encode_utf16().flat_map(u16::to_le_bytes).collect();
        for hostile in [&b"<sst uniqueCount=\"99999999999999999999\">"[..], &utf16] {
            assert!(matches!(check(&zip(&[hostile]), 1000), Err(Rule::Damaged(_))));
        }
    }

    #[test]
    fn a_word_that_announces_nothing() {
        let shown = b"<sst uniqueCount=\"1\"><si><t>uniqueCount 99999, uniqueCount of 99999</t></si></sst>";
        assert_eq!(check(&zip(&[shown]), 1000), Ok(()));
        // However often it is there, no byte is looked at again and again.
        let again = b"uniqueCount".repeat(100_000);
        assert_eq!(check(&zip(&[&again]), 2_000_000), Ok(()));
        let open = b"uniqueCount=\"  ".repeat(100_000);
        assert_eq!(check(&zip(&[&open]), 2_000_000), Ok(()));
    }

    #[test]
    fn a_zip_that_was_cut_short() {
        let bytes = zip(&[&[b'x'; 1000]]);
        assert!(matches!(check(&bytes[..bytes.len() - 30], 10_000), Err(Rule::Damaged(_))));
    }
}
