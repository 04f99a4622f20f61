//! Bodies that come in chunks (RFC 9112, section 7.1), taken apart as they arrive.

use anyhow::{Context, ensure};

/// The bytes of a chunk's size and extensions that are taken for one.
const LONGEST_SIZE: usize = 64;

/// How far a body was read.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    state: State,
    /// A line whose end has not come.
    line: Vec<u8>,
}

#[derive(Debug, Default)]
enum State {
    /// A line with the size of a chunk comes.
    #[default]
    Size,
    /// So many bytes of data come.
    Data(usize),
    /// The end of the line after the data comes.
    EndOfData,
    /// Lines after the last chunk come, of which an empty one is the last.
    Trailers,
}

impl Chunks {
    /// Takes what came, and hands on what is data. Says whether that was the end of the body.
    ///
    /// # Errors
    ///
    /// If it is not in chunks.
    pub(super) fn feed(&mut self, mut bytes: &[u8], mut data: impl FnMut(&[u8])) -> anyhow::Result<bool> {
        while !bytes.is_empty() {
            if let State::Data(left) = self.state {
                let taken = left.min(bytes.len());
                data(&bytes[..taken]);
                bytes = &bytes[taken..];
                self.state = if taken == left { State::EndOfData } else { State::Data(left - taken) };
                continue;
            }
            let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
                ensure!(self.line.len() + bytes.len() <= LONGEST_SIZE, "a line between chunks has no end");
                self.line.extend_from_slice(bytes);
                return Ok(false);
            };
            self.line.extend_from_slice(&bytes[..end]);
            bytes = &bytes[end + 1..];
            let line = std::mem::take(&mut self.line);
            if self.end_line(line.strip_suffix(b"\r").unwrap_or(&line))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// A line is whole. Says whether it is the last one of the body.
    fn end_line(&mut self, line: &[u8]) -> anyhow::Result<bool> {
        self.state = match self.state {
            State::Size => match size(line)? {
                0 => State::Trailers,
                size => State::Data(size),
            },
            State::EndOfData => {
                ensure!(line.is_empty(), "a chunk is longer than it says");
                State::Size
            }
            State::Trailers if line.is_empty() => return Ok(true),
            State::Trailers | State::Data(_) => State::Trailers,
        };
        Ok(false)
    }
}

/// The size that a line announces, before its extensions.
fn size(line: &[u8]) -> anyhow::Result<usize> {
    let text = std::str::from_utf8(line).context("a chunk's size is no text")?;
    let digits = text.split(';').next().unwrap_or_default().trim();
    usize::from_str_radix(digits, 16).with_context(|| format!("\"{digits}\" is no size of a chunk"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read of a body that comes in pieces of so many bytes; none if it does not end.
    fn read(body: &str, piece: usize) -> anyhow::Result<Option<String>> {
        let (mut chunks, mut text) = (Chunks::default(), Vec::new());
        for piece in body.as_bytes().chunks(piece) {
            if chunks.feed(piece, |data| text.extend_from_slice(data))? {
                return Ok(Some(String::from_utf8(text)?));
            }
        }
        Ok(None)
    }

    #[test]
    fn bodies_in_pieces_of_any_size() {
        for (body, expected) in [
            ("0\r\n\r\n", Some("")),
            ("5\r\nhello\r\n0\r\n\r\n", Some("hello")),
            ("3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nExpires: 0\r\n\r\n", Some("hello")),
            ("A\r\n0\r\n\r\n01234\r\n0\r\n\r\n", Some("0\r\n\r\n01234")),
            ("5\r\nhello\r\n", None),
            ("5\r\nhel", None),
        ] {
            for piece in 1..=body.len() {
                assert_eq!(read(body, piece).expect("chunks").as_deref(), expected, "{body:?} by {piece}");
            }
        }
    }

    #[test]
    fn what_is_not_in_chunks() {
        for body in ["hello\r\n", "2\r\nhello\r\n0\r\n\r\n", &"1".repeat(200)] {
            assert!(read(body, 3).is_err(), "{body:?}");
        }
    }
}
