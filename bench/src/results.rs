//! All that one run has measured.

use std::collections::BTreeMap;

use crate::measure::cold::ColdFigures;
use crate::measure::hostile::HostileFigures;
use crate::measure::ingest::IngestFigures;
use crate::measure::queries::{QueryFigures, Series};
use crate::measure::unchanged::UnchangedFigures;
use crate::store::Loading;

/// What was measured of a bucket with so many records. What is none was left out.
#[derive(Clone, Debug, Default)]
pub(crate) struct SizeResults {
    /// Loading it.
    pub(crate) loading: Option<Loading>,
    /// Queries.
    pub(crate) queries: Option<QueryFigures>,
    /// A cold bucket.
    pub(crate) cold: Option<ColdFigures>,
    /// Queries after writes.
    pub(crate) fresh: Option<Series>,
    /// `If-None-Match`.
    pub(crate) unchanged: Option<UnchangedFigures>,
    /// Requests of an enemy.
    pub(crate) hostile: Option<HostileFigures>,
}

/// What was measured.
#[derive(Clone, Debug, Default)]
pub(crate) struct Results {
    /// The machine and the versions, each with a name.
    pub(crate) machine: Vec<(String, String)>,
    /// By number of records.
    pub(crate) sizes: BTreeMap<u64, SizeResults>,
    /// Storing.
    pub(crate) ingest: Vec<IngestFigures>,
}

impl SizeResults {
    /// Bytes of memory a record that the read app has more than at its start.
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^53")]
    pub(crate) fn memory_of_record(&self, records: u64) -> Option<f64> {
        let cold = self.cold.as_ref()?;
        Some(cold.after.saturating_sub(cold.before) as f64 / records as f64)
    }
}
