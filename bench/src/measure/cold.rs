//! A bucket that the read app has not seen since it started: its first query, and the memory that it
//! takes once every field was asked for. The file itself is in the system's cache.

use std::collections::BTreeMap;

use backdrop_bench::http::get;
use backdrop_bench::queries::{ALL_FIELDS, BenchQuery};
use backdrop_bench::statistics::Durations;

use super::queries::Series;
use super::{Variants, ask, path};
use crate::store::Store;

/// A cold bucket.
#[derive(Clone, Debug)]
pub(crate) struct ColdFigures {
    /// The first query, by which it was.
    pub(crate) first: Series,
    /// The app's anonymous memory after its start.
    pub(crate) before: u64,
    /// The same after every field was asked for.
    pub(crate) after: u64,
}

/// Measures the first query of so many starts for each query, and the memory.
pub(crate) async fn measure(store: &Store, starts: usize) -> anyhow::Result<ColdFigures> {
    let mut first = BTreeMap::new();
    let mut variants = Variants::default();
    for query in BenchQuery::ALL {
        let mut durations = Durations::default();
        for _ in 0..starts {
            let app = store.start_read().await?;
            durations.push(ask(&mut app.connect().await?, query, variants.next()).await?);
            app.stop().await?;
        }
        first.insert(query, durations);
    }
    let (before, after) = memory(store).await?;
    Ok(ColdFigures { first, before, after })
}

/// The app's memory after its start, and after every field was asked for.
async fn memory(store: &Store) -> anyhow::Result<(u64, u64)> {
    let app = store.start_read().await?;
    let before = app.usage()?.memory;
    let mut connection = app.connect().await?;
    for query in ALL_FIELDS {
        connection.send(&get(&path(query), None)).await?.expect(200)?;
    }
    let after = app.usage()?.memory;
    app.stop().await?;
    Ok((before, after))
}
