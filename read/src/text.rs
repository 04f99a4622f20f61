//! The text of an answer, JSON or CSV, which is made piece by piece: of records a page at a time, of groups some
//! rows at a time. What is held for it is reserved.

use backdrop_common::csv_export::{GroupsCsv, RecordsCsv};
use backdrop_common::http::{ApiError, etag};
use backdrop_common::room::Reservation;
use backdrop_common::shape::{GroupAnswer, JsonText};
use backdrop_common::storage::{
    Documents, NamesSeen, PAGE_BYTES, PAGES, RecordPages, StorageError, StorageErrorKind,
};
use rocket::tokio::task::spawn_blocking;
use serde_json::to_writer;

use crate::answer::{Form, WARNING};

/// How many bytes a piece of an answer of groups has, or a little more.
pub(crate) const PIECE: usize = 128 * 1024;
/// What an answer of many records takes on its way: its pages, and two of them as text. A page of records that
/// are mostly control characters takes more for a moment.
const RECORDS_ON_THEIR_WAY: usize = PAGES * PAGE_BYTES + 2 * 4 * PAGE_BYTES;

/// The text of an answer.
pub(crate) enum Text {
    Records(RecordsText),
    Groups(GroupsText),
}

/// Records on their way.
pub(crate) struct RecordsText {
    pages: RecordPages,
    /// None while it writes.
    writer: Option<RecordsWriter>,
    room: Reservation,
    pieces: Pieces,
}

/// Groups that are written.
pub(crate) struct GroupsText {
    /// None while it writes, and in the end.
    state: Option<Box<GroupsState>>,
    room: Reservation,
    /// What the groups take.
    memory: usize,
    likely_bytes: u64,
    pieces: Pieces,
}

/// The pieces that were made.
#[derive(Default)]
struct Pieces {
    is_begun: bool,
    /// The tag of the first, if it is the whole: it is hashed where it is made.
    tag: Option<String>,
}

struct GroupsState {
    answer: GroupAnswer,
    writer: GroupsWriter,
    form: Form,
    is_begun: bool,
}

enum GroupsWriter {
    Json(JsonText),
    Csv(GroupsCsv),
}

enum RecordsWriter {
    Json {
        is_published: bool,
        is_begun: bool,
    },
    /// None until the names are known.
    Csv(Option<RecordsCsv>),
}

impl Text {
    /// The text of records, of which the first page is there.
    ///
    /// # Errors
    ///
    /// [`ApiError::Busy`] if there is no room for them.
    pub(crate) fn of_records(
        mut pages: RecordPages,
        form: Form,
        mut room: Reservation,
    ) -> Result<Self, ApiError> {
        room.cover(if pages.is_whole() { PAGE_BYTES } else { RECORDS_ON_THEIR_WAY })?;
        let writer = if form.is_csv {
            RecordsWriter::Csv(pages.names().map(RecordsCsv::new))
        } else {
            RecordsWriter::Json { is_published: form.is_published, is_begun: false }
        };
        let pieces = Pieces::default();
        Ok(Self::Records(RecordsText { pages, writer: Some(writer), room, pieces }))
    }

    /// The text of groups, for which there is room.
    ///
    /// # Errors
    ///
    /// [`ApiError::Busy`] if there is no room for what is needed besides.
    pub(crate) fn of_groups(
        answer: GroupAnswer,
        likely_bytes: u64,
        form: Form,
        mut room: Reservation,
    ) -> Result<Self, ApiError> {
        let memory = room.bytes();
        room.cover(
            memory + answer.gap_bytes() + 2 * PIECE.min(usize::try_from(likely_bytes).unwrap_or(PIECE)),
        )?;
        let memory = room.bytes();
        let writer = if form.is_csv {
            GroupsWriter::Csv(GroupsCsv::new(&answer))
        } else {
            GroupsWriter::Json(JsonText::new(&answer))
        };
        let state = Some(Box::new(GroupsState { answer, writer, form, is_begun: false }));
        let pieces = Pieces::default();
        Ok(Self::Groups(GroupsText { state, room, memory, likely_bytes, pieces }))
    }

    /// How many bytes the first piece should have, if answers of so many are kept whole: one that is far larger
    /// is not collected first.
    pub(crate) fn first_piece(&self, kept: usize) -> usize {
        match self {
            Self::Groups(text) if text.likely_bytes > 2 * kept as u64 => PIECE,
            Self::Groups(_) | Self::Records(_) => kept,
        }
    }

    /// Reserves room for so many bytes besides what is needed to make more.
    ///
    /// # Errors
    ///
    /// [`ApiError::Busy`] if there is none.
    pub(crate) fn cover(&mut self, bytes: usize) -> Result<(), ApiError> {
        let wanted = self.needed().saturating_add(bytes);
        Ok(self.room_mut().cover(wanted)?)
    }

    /// Keeps room for so many bytes besides what is needed to make more.
    pub(crate) fn shrink(&mut self, bytes: usize) {
        let wanted = self.needed().saturating_add(bytes);
        self.room_mut().shrink(wanted);
    }

    /// The room that it has, when all is written.
    pub(crate) fn into_room(self) -> Reservation {
        match self {
            Self::Records(text) => text.room,
            Self::Groups(text) => text.room,
        }
    }

    fn room_mut(&mut self) -> &mut Reservation {
        match self {
            Self::Records(text) => &mut text.room,
            Self::Groups(text) => &mut text.room,
        }
    }

    fn needed(&self) -> usize {
        match self {
            Self::Records(text) if text.is_end() => 0,
            Self::Records(text) if text.pages.is_whole() => PAGE_BYTES,
            Self::Records(_) => RECORDS_ON_THEIR_WAY,
            Self::Groups(text) if text.state.is_none() => 0,
            Self::Groups(text) => text.memory,
        }
    }

    /// Whether all of it was made.
    pub(crate) fn is_end(&self) -> bool {
        match self {
            Self::Records(text) => text.is_end(),
            Self::Groups(text) => text.state.is_none(),
        }
    }

    /// The tag of all of it, if that was one piece.
    pub(crate) fn tag(&mut self) -> Option<String> {
        match self {
            Self::Records(text) => text.pieces.tag.take(),
            Self::Groups(text) => text.pieces.tag.take(),
        }
    }

    /// The next piece, which has about so many bytes where that can be chosen; there has to be one.
    ///
    /// # Errors
    ///
    /// What went wrong: then there is no more.
    pub(crate) async fn next(&mut self, bytes: usize) -> Result<Vec<u8>, ApiError> {
        match self {
            Self::Records(text) => text.next().await,
            Self::Groups(text) => text.next(bytes).await,
        }
    }
}

impl Pieces {
    /// Whether the next is the first; it is not after that.
    fn is_first(&mut self) -> bool {
        !std::mem::replace(&mut self.is_begun, true)
    }
}

impl RecordsText {
    fn is_end(&self) -> bool {
        self.writer.is_none()
    }

    async fn next(&mut self) -> Result<Vec<u8>, ApiError> {
        let page = self.pages.next().await?.unwrap_or_default();
        let is_last = self.pages.is_whole();
        let mut writer = self.writer.take().ok_or(ApiError::Internal)?;
        let is_all = self.pieces.is_first() && is_last;
        let written = spawn_blocking(move || {
            let mut text = Vec::with_capacity(page.bytes());
            writer.write(&page, &mut text)?;
            if is_last {
                writer.end(&mut text);
            }
            text.shrink_to_fit();
            let tag = is_all.then(|| etag(&text));
            Ok::<_, StorageError>((text, writer, tag))
        });
        let (text, writer, tag) = written.await.map_err(|_| ApiError::Internal)??;
        self.pieces.tag = tag;
        self.writer = (!is_last).then_some(writer);
        Ok(text)
    }
}

impl RecordsWriter {
    fn write(&mut self, page: &Documents, text: &mut Vec<u8>) -> Result<(), StorageError> {
        match self {
            Self::Csv(Some(csv)) => csv.write(page, text),
            Self::Csv(csv) => {
                // It is the only page.
                let mut names = NamesSeen::default();
                page.iter().try_for_each(|document| names.add(document?))?;
                csv.insert(RecordsCsv::new(names.into_names())).write(page, text)
            }
            Self::Json { is_published, is_begun } => {
                let mut is_first = !std::mem::replace(is_begun, true);
                if is_first {
                    begin_json(text, *is_published);
                    text.push(b'[');
                }
                for document in page.iter() {
                    if !std::mem::replace(&mut is_first, false) {
                        text.push(b',');
                    }
                    to_writer(&mut *text, &document?)
                        .map_err(|error| StorageError::new(StorageErrorKind::Internal, error))?;
                }
                Ok(())
            }
        }
    }

    fn end(&self, text: &mut Vec<u8>) {
        if let Self::Json { .. } = self {
            text.extend_from_slice(b"]}");
        }
    }
}

impl GroupsText {
    async fn next(&mut self, bytes: usize) -> Result<Vec<u8>, ApiError> {
        let mut state = self.state.take().ok_or(ApiError::Internal)?;
        let is_first = self.pieces.is_first();
        let written = spawn_blocking(move || {
            let mut text = Vec::with_capacity(1024);
            let is_end = state.write(&mut text, bytes);
            let tag = (is_first && is_end).then(|| etag(&text));
            (text, (!is_end).then_some(state), tag)
        });
        let (text, state, tag) = written.await.map_err(|_| ApiError::Internal)?;
        self.pieces.tag = tag;
        self.state = state;
        Ok(text)
    }
}

impl GroupsState {
    fn write(&mut self, text: &mut Vec<u8>, until: usize) -> bool {
        match &mut self.writer {
            GroupsWriter::Csv(csv) => csv.write(&self.answer, text, until),
            GroupsWriter::Json(json) => {
                if !std::mem::replace(&mut self.is_begun, true) {
                    begin_json(text, self.form.is_published);
                }
                let is_end = json.write(&self.answer, text, until);
                if is_end {
                    text.push(b'}');
                }
                is_end
            }
        }
    }
}

fn begin_json(text: &mut Vec<u8>, is_published: bool) {
    text.push(b'{');
    if !is_published {
        text.extend_from_slice(b"\"warning\":\"");
        text.extend_from_slice(WARNING.as_bytes());
        text.extend_from_slice(b"\",");
    }
    text.extend_from_slice(b"\"data\":");
}
