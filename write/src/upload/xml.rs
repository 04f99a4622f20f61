//! What the parts of workbooks need of XML: text in whatever encoding, elements without their namespaces,
//! attributes, and what is inside of an element as it is written.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8};
use quick_xml::Reader;
use quick_xml::escape::unescape;
use quick_xml::events::{BytesStart, Event};

use super::fault::Rule;

/// The text of a part, in which encoding it may be.
pub(crate) fn text(part: &[u8]) -> Cow<'_, str> {
    let start = String::from_utf8_lossy(&part[..part.len().min(200)]);
    let declared = start.split_once("encoding=").and_then(|(_, rest)| {
        let label = rest.get(1..)?.split(['"', '\'']).next()?;
        Encoding::for_label(label.as_bytes())
    });
    // Without a mark of byte order it is as it says, which it can say in letters of one byte only.
    declared.unwrap_or(UTF_8).decode(part).0
}

/// The elements of a part.
pub(crate) struct Elements<'a> {
    text: &'a str,
    reader: Reader<&'a [u8]>,
}

/// The start or the end of an element.
pub(crate) enum Element<'a> {
    /// Its start.
    Start(BytesStart<'a>),
    /// The end of the element with this name.
    End(String),
}

impl<'a> Elements<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        let mut reader = Reader::from_str(text);
        let config = reader.config_mut();
        config.check_end_names = false;
        config.check_comments = false;
        config.expand_empty_elements = true;
        Self { text, reader }
    }

    /// The next start or end; none at the end of the text.
    pub(crate) fn next(&mut self) -> Result<Option<Element<'a>>, Rule> {
        loop {
            match self.reader.read_event().map_err(|error| damaged(&error))? {
                Event::Start(start) => return Ok(Some(Element::Start(start))),
                Event::End(end) => return Ok(Some(Element::End(end.local_name().as_ref().to_owned()))),
                Event::Eof => return Ok(None),
                _ => {}
            }
        }
    }

    /// The next start; none at the end of the text.
    pub(crate) fn next_start(&mut self) -> Result<Option<BytesStart<'a>>, Rule> {
        loop {
            match self.next()? {
                Some(Element::Start(start)) => return Ok(Some(start)),
                Some(Element::End(_)) => {}
                None => return Ok(None),
            }
        }
    }

    /// What is inside of an element that just started, as it is written.
    pub(crate) fn inside(&mut self, start: &BytesStart<'_>) -> Result<&'a str, Rule> {
        let span = self.reader.read_to_end(start.name()).map_err(|error| damaged(&error))?;
        let place = |place: u64| usize::try_from(place).unwrap_or(usize::MAX);
        Ok(self.text.get(place(span.start)..place(span.end)).unwrap_or_default())
    }
}

/// The name of an element without its namespace.
pub(crate) fn name<'e>(start: &'e BytesStart<'_>) -> &'e str {
    let name = start.name().0;
    name.rsplit_once(':').map_or(name, |(_, local)| local)
}

/// An attribute of an element, by its name without a namespace.
pub(crate) fn attribute(start: &BytesStart<'_>, name: &str) -> Option<String> {
    let found = start.attributes().with_checks(false).flatten().find(|attribute| {
        let key = attribute.key.0;
        key.rsplit_once(':').map_or(key, |(_, local)| local) == name
    })?;
    Some(plain(&found.value).into_owned())
}

/// Whether an attribute says yes, as XML spells it.
pub(crate) fn is_set(start: &BytesStart<'_>, name: &str) -> bool {
    attribute(start, name).is_some_and(|value| matches!(value.as_str(), "1" | "true" | "on"))
}

/// A text without escapes.
pub(crate) fn plain(text: &str) -> Cow<'_, str> {
    unescape(text).unwrap_or(Cow::Borrowed(text))
}

pub(crate) fn damaged(error: &dyn std::fmt::Display) -> Rule {
    Rule::Damaged(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings() {
        for bytes in [
            "<a>é</a>".as_bytes().to_vec(),
            b"<?xml version=\"1.0\" encoding='ISO-8859-1'?><a>\xE9</a>".to_vec(),
            "\u{feff}<a>é</a>".encode_utf16().flat_map(u16::to_le_bytes).collect(),
        ] {
            assert!(text(&bytes).ends_with("<a>é</a>"), "{bytes:?}");
        }
    }

    #[test]
    fn elements_and_what_is_inside() {
        let mut elements =
            Elements::new("<x:a r:id='1 &amp; 2'><b/><c>1&lt;2<d/></c><e hidden=\"true\"></e></x:a>");
        let mut next = || elements.next_start().expect("XML").expect("an element");
        let first = next();
        assert_eq!((name(&first), attribute(&first, "id").as_deref()), ("a", Some("1 & 2")));
        let b = next();
        assert_eq!(elements.inside(&b).expect("XML"), "");
        let c = elements.next_start().expect("XML").expect("an element");
        assert_eq!((name(&c), elements.inside(&c).expect("XML")), ("c", "1&lt;2<d/>"));
        let e = elements.next_start().expect("XML").expect("an element");
        assert!(is_set(&e, "hidden") && !is_set(&e, "other"));
        assert!(elements.next_start().expect("XML").is_none());
    }
}
