//! The records that a query for records found: sorted and limited as they come.

use crate::query::RecordSort;
use crate::storage::Documents;
use crate::value::{Value, ValueRef};

/// The records that a query for records found so far.
pub(super) struct Found<'q> {
    sort: Option<&'q RecordSort>,
    limit: Option<usize>,
    /// In the order of the answer, where nothing is left to sort.
    documents: Documents,
    /// Where something is: with their keys, in the order of writing.
    unsorted: Vec<(Value, i64, Box<[u8]>)>,
}

impl<'q> Found<'q> {
    pub(super) fn new(sort: Option<&'q RecordSort>, limit: Option<usize>) -> Self {
        Self { sort, limit, documents: Documents::default(), unsorted: Vec::new() }
    }

    pub(super) fn push(&mut self, key: ValueRef<'_>, seq: i64, document: &[u8]) {
        if self.sort.is_none() {
            self.documents.push(document);
            return;
        }
        self.unsorted.push((key.to_value(), seq, document.into()));
        // Now and then all but the best are let go, so that a limited answer needs little memory.
        if let Some(limit) = self.limit
            && self.unsorted.len() >= limit.saturating_mul(2).max(1024)
        {
            self.sort_and_limit();
        }
    }

    /// Whether enough was found to stop; not while a better record may follow.
    pub(super) fn is_complete(&self) -> bool {
        self.sort.is_none() && self.limit.is_some_and(|limit| self.documents.len() >= limit)
    }

    fn sort_and_limit(&mut self) {
        if let Some(sort) = self.sort {
            self.unsorted.sort_unstable_by(|(a, a_seq, _), (b, b_seq, _)| {
                sort.direction.apply(a.cmp(b)).then_with(|| a_seq.cmp(b_seq))
            });
        }
        if let Some(limit) = self.limit {
            self.unsorted.truncate(limit);
        }
    }

    pub(super) fn into_documents(mut self) -> Documents {
        self.sort_and_limit();
        for (_, _, document) in &self.unsorted {
            self.documents.push(document);
        }
        self.documents
    }
}
