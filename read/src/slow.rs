//! Queries that take long, for the log: what they are like, and never what a client looks for.

use std::time::{Duration, Instant};

use backdrop_common::period::Period;
use backdrop_common::query::args::QueryArgs;

use crate::data::ReadRequest;

/// A query that is being answered.
pub(crate) struct Watched {
    begun: Instant,
    /// How long it may take; for ever if there is none.
    most: Option<Duration>,
}

impl Watched {
    /// Begins; zero stands for no limit.
    pub(crate) fn begin(slow_query_ms: u32) -> Self {
        let most = (slow_query_ms > 0).then(|| Duration::from_millis(slow_query_ms.into()));
        Self { begun: Instant::now(), most }
    }

    /// Says in the log that a query took long, if it did.
    pub(crate) fn end(&self, request: &ReadRequest<'_>) {
        let taken = self.begun.elapsed();
        if self.most.is_none_or(|most| taken < most) {
            return;
        }
        let Ok(args) = QueryArgs::parse(request.query) else { return };
        let outline = args.outline();
        tracing::warn!(
            target: "backdrop::slow",
            request_id = request.request_id.as_str(),
            path = request.path,
            parameters = outline.parameters,
            fields = outline.fields,
            values = outline.values,
            period = outline.period.map(Period::name),
            micros = u64::try_from(taken.as_micros()).unwrap_or(u64::MAX),
            "a slow query"
        );
    }
}
