//! A columnar view of a bucket: its records in memory, by column, to answer queries from.
//!
//! It is a copy of what is stored, made by whoever keeps it up to date ([`View::push`],
//! [`View::remove`], then [`View::settle`]); losing it loses nothing. Cloning it is cheap: a query works
//! on a clone, and what a later write changes is copied only while somebody holds the old state.
//!
//! ```text
//! view.rs ── columns     the fields, their dictionaries, and which are left out
//!        ├── chunk       some records: numbers, times, segments          ← segment ← dictionary
//!        ├── selection   which rows of a chunk a query is about
//!        ├── plan        what a query for groups reads                   ← keys, periods
//!        ├── groups      rows → groups                                   ← tallies (sums), sets
//!        ├── aggregate   a query for groups, on all processors           ← top (sort and limit), helpers
//!        └── find        a query for records: their numbers
//! ```
//!
//! Records are in the order of writing, in chunks. A deleted record stays in its chunk, with a mark
//! beside it, until so many are deleted that the chunk is written anew. Nothing here does IO or knows SQL.

mod aggregate;
mod chunk;
mod columns;
mod dictionary;
mod find;
mod groups;
mod helpers;
mod keys;
mod periods;
mod plan;
mod segment;
mod selection;
mod sets;
mod tallies;
mod top;

use std::collections::HashSet;
use std::sync::Arc;

use fixedbitset::FixedBitSet;

pub(super) use self::aggregate::aggregate;
pub(super) use self::find::{bytes_to_find, find};
pub(super) use self::helpers::Helpers;

use self::chunk::Chunk;
use self::columns::{Columns, Place, is_never_kept};
use self::segment::{Cell, Segment};
use super::{Document, StorageError};
use crate::timestamp::Timestamp;

/// Records in a chunk: so many that what is done once for each chunk does not count, so few that one
/// is quickly written anew.
pub(super) const ROWS_PER_CHUNK: usize = 65_536;

/// The records of a bucket by column.
#[derive(Clone)]
pub(super) struct View {
    columns: Columns,
    parts: Vec<Part>,
    rows_per_chunk: usize,
    /// How many records were there and are not any more; values of theirs may still be in dictionaries.
    gone: usize,
}

/// A chunk, and what is deleted of it.
#[derive(Clone, Default)]
struct Part {
    chunk: Arc<Chunk>,
    deleted: Arc<FixedBitSet>,
    /// How many rows are deleted.
    dead: usize,
}

impl Part {
    fn live(&self) -> usize {
        self.chunk.len() - self.dead
    }

    /// Whether so much is deleted that the rest is better copied.
    fn is_thin(&self) -> bool {
        self.dead * 2 > self.chunk.len()
    }
}

impl View {
    /// A view of no records. Fields that are asked for have columns; others have them while there is
    /// room.
    pub(super) fn new(rows_per_chunk: usize, asked: HashSet<Arc<str>>) -> Self {
        Self { columns: Columns::new(asked), parts: Vec::new(), rows_per_chunk, gone: 0 }
    }

    /// How many records there are.
    pub(super) fn len(&self) -> usize {
        self.parts.iter().map(Part::live).sum()
    }

    /// Whether the view can tell what a field is in every record.
    pub(super) fn has(&self, field: &str) -> bool {
        self.columns.place(field) != Place::LeftOut
    }

    /// Whether a view can have that field at all: ids are as many as records, so they are left to the store.
    /// Times of writing may be as many; a view has them if it was made by a query that asks for them.
    pub(super) fn may_have(field: &str) -> bool {
        !is_never_kept(field)
    }

    /// Notes that queries ask for some fields, so that others are left out before them.
    pub(super) fn ask<'a>(&mut self, fields: impl Iterator<Item = &'a str>) {
        self.columns.ask(fields);
    }

    /// About how much more memory the view would take with a field that it lacks.
    pub(super) fn cost_of(&self, field: &str) -> usize {
        self.columns.cost_of(field).saturating_mul(self.rows())
    }

    /// How much memory the view would take without the columns that nobody asked for, about.
    pub(super) fn bytes_of_asked(&self) -> usize {
        self.bytes() - self.columns.unasked().map(|place| self.bytes_of(place)).sum::<usize>()
    }

    /// A view of no records, in whose place this one goes.
    pub(super) fn emptied(&self, asked: HashSet<Arc<str>>) -> Self {
        Self::new(self.rows_per_chunk, asked)
    }

    /// The field that was asked for and takes the most memory.
    pub(super) fn largest_asked(&self) -> Option<Arc<str>> {
        let asked = self.columns.kept().filter(|(_, field)| self.columns.asked().contains(*field));
        asked.max_by_key(|(place, _)| self.bytes_of(*place)).map(|(_, field)| Arc::clone(field))
    }

    /// How much memory a column takes.
    fn bytes_of(&self, place: usize) -> usize {
        let segments = self.parts.iter().filter_map(|part| part.chunk.segments.get(place));
        self.columns.dictionary(place).bytes() + segments.map(Segment::bytes).sum::<usize>()
    }

    /// How many rows there are, deleted ones too.
    fn rows(&self) -> usize {
        self.parts.iter().map(|part| part.chunk.len()).sum()
    }

    /// The fields that were asked for.
    pub(super) fn asked(&self) -> HashSet<Arc<str>> {
        self.columns.asked().clone()
    }

    /// Adds a record that was written after all that are there. Says whether that filled a chunk.
    ///
    /// # Errors
    ///
    /// If the record is damaged; the view is of no use then.
    pub(super) fn push(
        &mut self,
        seq: i64,
        time: Option<Timestamp>,
        document: Document<'_>,
    ) -> Result<bool, StorageError> {
        if self.parts.last().is_none_or(|part| part.chunk.len() >= self.rows_per_chunk) {
            self.parts.push(Part::default());
        }
        let Some(part) = self.parts.last_mut() else { return Ok(false) };
        let chunk = Arc::make_mut(&mut part.chunk);
        self.columns.push(chunk, document)?;
        chunk.push(seq, time);
        let is_full = chunk.len() == self.rows_per_chunk;
        if is_full {
            self.columns.pad(chunk);
            chunk.seal();
        }
        Ok(is_full)
    }

    /// Removes a record, if it is there.
    pub(super) fn remove(&mut self, seq: i64) {
        let after = self.parts.partition_point(|part| part.chunk.first_seq() <= seq);
        let Some(part) = after.checked_sub(1).map(|place| &mut self.parts[place]) else { return };
        let Some(row) = part.chunk.seqs.row(seq) else { return };
        if !part.deleted.contains(row) {
            let deleted = Arc::make_mut(&mut part.deleted);
            deleted.grow(part.chunk.len());
            deleted.insert(row);
            part.dead += 1;
        }
    }

    /// Makes the view ready for queries after records were added and removed.
    pub(super) fn settle(&mut self) {
        self.columns.forget_unknown();
        if let Some(part) = self.parts.last_mut()
            && part.chunk.is_ragged()
        {
            self.columns.pad(Arc::make_mut(&mut part.chunk));
        }
        if self.parts.iter().any(Part::is_thin) {
            self.compact();
        }
    }

    /// Whether what is gone may have left so much behind that the view is better made anew.
    pub(super) fn is_worn(&self) -> bool {
        self.gone > 2 * self.len() + self.rows_per_chunk
    }

    /// How much memory it takes, about.
    pub(super) fn bytes(&self) -> usize {
        let part = |part: &Part| part.chunk.bytes() + size_of_val(part.deleted.as_slice());
        self.columns.bytes() + self.parts.iter().map(part).sum::<usize>()
    }

    /// Leaves columns out that nobody asked for, the largest first, until the view takes at most so
    /// much. Says whether it does.
    pub(super) fn shrink_to(&mut self, max_bytes: usize) -> bool {
        while self.bytes() > max_bytes {
            let largest = self.columns.unasked().max_by_key(|place| self.bytes_of(*place));
            let Some(place) = largest else { return false };
            let cost = self.bytes_of(place).div_ceil(self.rows().max(1));
            self.columns.leave_out(place, cost);
            for part in &mut self.parts {
                if place < part.chunk.segments.len() {
                    let chunk = Arc::make_mut(&mut part.chunk);
                    chunk.segments[place] = Segment::Missing(chunk.times.len());
                }
            }
        }
        true
    }

    /// Writes chunks anew of which more than half is deleted, so that memory and time follow what
    /// there is and not what there was. Neighbours that fit into one become one.
    fn compact(&mut self) {
        let mut compacted: Vec<Part> = Vec::with_capacity(self.parts.len());
        let mut has_room = false;
        for part in std::mem::take(&mut self.parts) {
            if !part.is_thin() {
                compacted.push(part);
                has_room = false;
                continue;
            }
            self.gone += part.dead;
            if part.live() == 0 {
                continue;
            }
            let fits = |open: &Part| open.chunk.len() + part.live() <= self.rows_per_chunk;
            if !(has_room && compacted.last().is_some_and(fits)) {
                compacted.push(Part::default());
            }
            if let Some(open) = compacted.last_mut() {
                self.copy(&part, Arc::make_mut(&mut open.chunk));
            }
            has_room = true;
        }
        self.parts = compacted;
    }

    /// Copies the rows that are not deleted.
    fn copy(&mut self, from: &Part, to: &mut Chunk) {
        let before = to.len();
        let rows: Vec<usize> = (0..from.chunk.len()).filter(|row| !from.deleted.contains(*row)).collect();
        for row in &rows {
            to.push(from.chunk.seqs.at(*row), Timestamp::from_millis(from.chunk.times[*row]));
        }
        to.segments.resize_with(from.chunk.segments.len().max(to.segments.len()), || Segment::Missing(0));
        for (place, copy) in to.segments.iter_mut().enumerate() {
            let dictionary = self.columns.dictionary_mut(place);
            copy.pad(before, dictionary);
            for row in &rows {
                let cell = from.chunk.segments.get(place).map_or(Cell::Missing, |segment| segment.at(*row));
                copy.push(cell, dictionary);
            }
        }
        to.seal();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::FieldName;
    use crate::query::args::{QueryArgs, QueryContext};
    use crate::query::{Filter, Query, RecordQuery, Selection, Test, Wanted};
    use crate::record::Record;
    use crate::storage::{Interest, document};
    use crate::value::Value;

    fn view(rows_per_chunk: usize) -> View {
        View::new(rows_per_chunk, HashSet::new())
    }

    fn push(view: &mut View, seq: i64, fields: &[(&str, Value)]) {
        let time = Timestamp::from_millis(seq * 1000);
        let fields = fields.iter().map(|(key, value)| (Box::from(*key), value.clone())).collect();
        let bytes = document::encode("id", &Record { id: None, timestamp: time, fields }, Timestamp::MIN);
        view.push(seq, time, Document::new(&bytes).expect("a document")).expect("a whole document");
    }

    /// The numbers of the records that a query finds.
    fn found(view: &View, query: &str) -> Vec<i64> {
        let context = QueryContext { raw_queries_allowed: true, now: Timestamp::MIN, max_rows: 100 };
        match QueryArgs::parse(query).and_then(|args| args.into_query(&context)) {
            Ok(Query::Records(query)) => {
                find(view, &query, &Interest::default()).expect("an answer").expect("fields that are there")
            }
            other => panic!("{query}: {other:?}"),
        }
    }

    #[test]
    fn thin_chunks_become_one_and_keep_what_is_left() {
        let mut view = view(4);
        for seq in 1..=12 {
            let fields = [("size", Value::Int(seq % 2))];
            push(&mut view, seq, if seq == 7 { &[] } else { &fields });
        }
        view.settle();
        assert_eq!(view.parts.len(), 3);
        for seq in [1, 2, 3, 5, 6, 8, 8, 99] {
            view.remove(seq);
        }
        view.settle();
        assert_eq!(view.parts.len(), 2, "two thin ones are one, the third is as it was");
        assert_eq!((view.len(), view.gone), (6, 6));
        assert_eq!(found(&view, ""), [4, 7, 9, 10, 11, 12]);
        assert_eq!(found(&view, "filter_by=size:1"), [9, 11]);
        assert_eq!(found(&view, "sort_by=size:descending"), [9, 11, 4, 10, 12, 7]);
        push(&mut view, 13, &[("size", Value::from("x"))]);
        view.remove(7);
        view.settle();
        assert_eq!(found(&view, "sort_by=size:descending"), [13, 9, 11, 4, 10, 12]);
    }

    #[test]
    fn a_chunk_of_which_nothing_is_left_goes() {
        let mut view = view(2);
        (1..=7).for_each(|seq| push(&mut view, seq, &[]));
        (1..=6).for_each(|seq| view.remove(seq));
        view.settle();
        assert_eq!((view.parts.len(), found(&view, "")), (1, vec![7]));
        assert!(view.is_worn());
    }

    #[test]
    fn what_somebody_holds_does_not_change() {
        let mut view = view(4);
        (1..=3).for_each(|seq| push(&mut view, seq, &[("size", Value::from("a"))]));
        view.settle();
        let held = view.clone();
        push(&mut view, 4, &[("size", Value::from("b"))]);
        view.remove(1);
        view.settle();
        assert_eq!(found(&held, "sort_by=size:descending"), [1, 2, 3]);
        assert_eq!(found(&view, "sort_by=size:descending"), [4, 2, 3]);
    }

    #[test]
    fn columns_that_nobody_asked_for_are_left_out_first() {
        let mut view = View::new(4, HashSet::from(["asked".into()]));
        for seq in 1..=9 {
            let text = |text: &str| Value::from(text.repeat(20).as_str());
            let long = Value::from(format!("{seq:>80}").as_str());
            push(&mut view, seq, &[("asked", long.clone()), ("long", long), ("short", text("a"))]);
        }
        view.settle();
        let bytes = view.bytes();
        assert!(view.shrink_to(bytes - 1));
        assert_eq!(
            ["asked", "long", "short", "nowhere"].map(|field| view.has(field)),
            [true, false, true, true]
        );
        assert!(view.cost_of("long") > 9 * 80);
        push(&mut view, 10, &[("long", Value::Null)]);
        view.settle();
        assert!(!view.has("long"), "it stays left out");
        assert!(!view.shrink_to(1), "what is asked for stays");
        assert!(view.has("asked") && !view.has("short"));
    }

    fn rows(view: &View, query: &str, max_rows: usize) -> Result<usize, String> {
        let rows = aggregate(view, &groups(query, max_rows), &Helpers::new(1), &Interest::default());
        rows.map(|rows| rows.expect("fields that are there").len()).map_err(|error| error.to_string())
    }

    fn groups(query: &str, max_rows: usize) -> crate::query::GroupQuery {
        let context = QueryContext { raw_queries_allowed: true, now: Timestamp::MIN, max_rows };
        match QueryArgs::parse(query).and_then(|args| args.into_query(&context)) {
            Ok(Query::Groups(query)) => query,
            other => panic!("{query}: {other:?}"),
        }
    }

    /// Records with a field of each form that a column may have.
    fn view_of_all_forms(records: i64) -> View {
        let mut view = view(ROWS_PER_CHUNK);
        for seq in 1..=records {
            let text = |name: &str, of: i64| Value::from(format!("{name} {:06}", seq % of).as_str());
            #[expect(clippy::cast_precision_loss, reason = "any float will do")]
            let float = Value::Float(seq as f64 / 2.0);
            let mixed = if seq % 2 == 0 { Value::Int(seq) } else { text("mixed", records) };
            let fields = [
                ("float", float),
                ("int", Value::Int(seq)),
                ("kind", text("kind", 7)),
                ("mixed", mixed),
                ("text", text("text", records)),
            ];
            push(&mut view, seq, &fields);
        }
        view.settle();
        view
    }

    #[test]
    fn thousands_of_wanted_values_are_not_compared_with_each_record() {
        const RECORDS: i64 = 10_000;
        let view = view_of_all_forms(RECORDS);
        let time = |number: i64| Timestamp::saturating(number * 1000);
        let spellings: [(&str, &dyn Fn(i64) -> String); 7] = [
            ("text", &|number| format!("text {number:06}")),
            ("int", &|number| number.to_string()),
            ("float", &|number| format!("{number}.5")),
            ("float", &|number| number.to_string()),
            ("mixed", &|number| number.to_string()),
            ("_timestamp", &|number| time(number).to_string()),
            ("_hour_start_at", &|number| time(number * 3600).to_string()),
        ];
        // Looked up are records, or values of the dictionary by halving, and the wanted values themselves.
        let bound = u64::try_from(3 * 3000 + 40 * RECORDS).expect("a number");
        let check = |field: &str, test: Test| {
            let (found, compared) = crate::query::lookup::cost::of(|| found_by(&view, field, test));
            assert!(found >= 3, "{field} finds {found}");
            assert!(compared <= bound, "{field} compares {compared}");
        };
        for (field, spelling) in spellings {
            check(field, Test::AnyOf((0..3000).map(|number| Wanted::parse(&spelling(number))).collect()));
        }
        for field in ["text", "mixed"] {
            check(
                field,
                Test::AnyPrefix((1..3000).map(|number| format!("{field} {number:06}").into()).collect()),
            );
        }
    }

    /// How many records a filter lets through.
    fn found_by(view: &View, field: &str, test: Test) -> usize {
        let field = FieldName::parse(field).expect("a name");
        let selection = Selection { filters: vec![Filter { field, test }], range: None };
        let query = RecordQuery { selection, ..RecordQuery::default() };
        find(view, &query, &Interest::default())
            .expect("somebody waits")
            .expect("a field that is there")
            .len()
    }

    /// Counts looks for whoever waits, and ends at each of them.
    #[track_caller]
    fn check_looks(least: usize, work: impl Fn(&Interest) -> Result<(), StorageError>) {
        let whole = Interest::default();
        work(&whole).expect("somebody waits");
        assert!(whole.looks() >= least, "{} looks", whole.looks());
        for look in 1..=whole.looks() {
            let interest = Interest::lost_at(look);
            let error = work(&interest).expect_err("nobody waits");
            assert_eq!(error.kind(), crate::storage::StorageErrorKind::Unavailable);
            assert_eq!(interest.looks(), look, "nothing is done after that");
        }
    }

    #[test]
    fn every_kind_of_query_looks_whether_somebody_waits() {
        const BLOCKS: usize = 5;
        let view = view_of_all_forms(i64::try_from(BLOCKS * 4096).expect("a number"));
        let of_records = |query: &str, least: usize| {
            let context = QueryContext { raw_queries_allowed: true, now: Timestamp::MIN, max_rows: 100_000 };
            let Ok(Query::Records(query)) =
                QueryArgs::parse(query).and_then(|args| args.into_query(&context))
            else {
                panic!("{query} asks for records")
            };
            check_looks(least, |interest| find(&view, &query, interest).map(drop));
        };
        let of_groups = |query: &str, least: usize| {
            let query = groups(query, 100_000);
            check_looks(least, |interest| aggregate(&view, &query, &Helpers::new(0), interest).map(drop));
        };
        of_records("filter_by=kind:x", BLOCKS);
        of_records("sort_by=text:ascending&limit=3", BLOCKS);
        of_records("filter_by_prefix=text:nothing", 2 * BLOCKS);
        of_groups("group_by=kind", BLOCKS);
        of_groups("group_by=kind&filter_by_prefix=text:nothing", 2 * BLOCKS);
        of_groups("group_by=text&collect=int:sum", 2 * BLOCKS);
        of_groups("group_by=text&sort_by=_count:descending&limit=20000", 3 * BLOCKS);
        of_groups("group_by=float&collect=kind:set", 3 * BLOCKS);
        of_groups("group_by=mixed&collect=text:set", 2 * BLOCKS);
    }

    #[test]
    fn threads_merge_their_groups_while_somebody_waits() {
        let mut view = view(4096);
        for seq in 1..=2 * 4096_i32 {
            let (size, kind) = (Value::Float(1.0 / f64::from(seq)), Value::Int(seq.into()));
            push(&mut view, seq.into(), &[("size", size), ("kind", kind)]);
        }
        view.settle();
        for query in ["group_by=size&collect=kind:set", "group_by=size&collect=kind:sum"] {
            let query = groups(query, 100_000);
            let fields = query.collected_fields();
            let plan = plan::Plan::new(&view, &query, &fields, &Interest::default()).expect("somebody waits");
            let plan = plan.expect("a plan");
            let part = |part: usize| {
                let (mut groups, mut rows) = (groups::Groups::new(&plan, &view), selection::Rows::new());
                rows.reset(0..4096);
                groups.add(&view.parts[part], &mut rows).expect("groups");
                groups
            };
            check_looks(1, |interest| part(0).merge(&part(1), interest));
        }
    }

    #[test]
    fn sets_have_as_many_members_as_there_may_be_rows() {
        let mut view = view(4);
        for seq in 1..=12 {
            let fields = [
                ("kind", Value::Int(seq % 2)),
                ("size", Value::Int(seq)),
                ("text", Value::from(format!("{seq}").as_str())),
            ];
            push(&mut view, seq, &fields);
        }
        view.settle();
        for query in [
            "group_by=kind&collect=size:set",
            "group_by=kind&collect=text",
            "group_by=kind&collect=text&collect=none",
        ] {
            assert_eq!(rows(&view, query, 12), Ok(2), "{query}");
            let error = rows(&view, query, 11).expect_err("too many");
            assert!(error.contains("'collect'") && error.contains("11"), "{error}");
        }
    }

    #[test]
    fn equal_keys_are_one_row() {
        let mut view = view(4);
        for (seq, value) in [(1, Value::Int(0)), (2, Value::Float(0.0)), (3, Value::Float(-0.0))] {
            push(&mut view, seq, &[("size", value)]);
        }
        view.settle();
        assert_eq!(rows(&view, "group_by=size", 1), Ok(1));
    }

    #[test]
    fn an_integer_beside_text_is_that_integer() {
        let mut view = view(4);
        for seq in 1..=8 {
            let size = if seq == 8 { Value::from("x") } else { Value::Int(seq % 4) };
            push(&mut view, seq, &[("size", size)]);
        }
        view.settle();
        assert_eq!(rows(&view, "group_by=size", 5), Ok(5));
        assert!(rows(&view, "group_by=size", 4).is_err());
    }

    #[test]
    fn groups_that_there_may_be_take_no_memory_beyond_a_bound() {
        let mut view = view(ROWS_PER_CHUNK);
        push(&mut view, 1, &[("number", Value::Int(0)), ("size", Value::Int(1))]);
        push(&mut view, 2, &[("number", Value::Int(65_000))]);
        view.settle();
        let plan = |view: &View, query: &crate::query::GroupQuery, fields: &[_]| {
            let plan = plan::Plan::new(view, query, fields, &Interest::default()).expect("somebody waits");
            plan.map(|plan| plan.dense_groups(view.len()))
        };
        let is_dense = |query: &str| {
            let query = groups(query, 100_000);
            let fields = query.collected_fields();
            plan(&view, &query, &fields).expect("a plan").is_some()
        };
        assert!(is_dense("group_by=number&collect=size:sum"));
        let sums: Vec<String> = (0..100).map(|place| format!("&collect=f{place}:sum")).collect();
        let nowhere = sums.concat();
        assert!(is_dense(&format!("group_by=number{nowhere}")), "of no record nothing is added up");
        let mut wide = view.clone();
        let fields: Vec<String> = (0..5).map(|place| format!("f{place}")).collect();
        push(&mut wide, 3, &fields.iter().map(|field| (field.as_str(), Value::Int(1))).collect::<Vec<_>>());
        wide.settle();
        let query = groups(&format!("group_by=number{nowhere}"), 100_000);
        let fields = query.collected_fields();
        assert_eq!(plan(&wide, &query, &fields).expect("a plan"), None);
    }

    #[test]
    fn names_that_no_record_has_are_not_kept() {
        let mut view = View::new(4, HashSet::from(["nowhere".into()]));
        push(&mut view, 1, &[("size", Value::Int(1))]);
        view.settle();
        view.ask(["nothing", "size"].into_iter());
        assert_eq!(view.asked(), HashSet::from(["size".into()]));
        let before = view.bytes();
        push(&mut view, 2, &[("a_field_that_comes_later", Value::Null)]);
        assert!(view.bytes() > before + "a_field_that_comes_later".len());
    }

    #[test]
    fn a_record_takes_few_bytes() {
        const RECORDS: i64 = 200_000;
        let mut view = view(ROWS_PER_CHUNK);
        for seq in 1..=RECORDS {
            let text = |name: &str, of: i64| Value::from(format!("{name}-{}", seq * 7919 % of).as_str());
            #[expect(clippy::cast_precision_loss, reason = "any float will do")]
            let duration = Value::Float(seq as f64 / 7.0);
            let fields = [
                ("channel", text("channel", 5)),
                ("device", text("device", 4)),
                ("duration", duration),
                ("page_path", text("/page", 5000)),
                ("service", text("service", 20)),
                ("stage", text("stage", 10)),
                ("volume", Value::Int(seq % 1000)),
            ];
            push(&mut view, seq, &fields);
        }
        view.settle();
        let bytes = view.bytes() / usize::try_from(RECORDS).expect("a number");
        assert!(bytes <= 32, "{bytes} bytes");
    }
}
