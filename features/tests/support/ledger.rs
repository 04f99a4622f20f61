//! Who was told what about which batch, and whether what is stored agrees with it.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use reqwest::Method;
use serde_json::{Value as Json, json};

use crate::support::http::Request;

/// What a client sends in one request: records that are added, and records that replace those of the
/// client's batch before it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Batch {
    /// Grows with each batch of a client.
    pub(crate) number: u64,
    pub(crate) client: u64,
    pub(crate) added: u64,
    /// None, or as many as the client's others have.
    pub(crate) named: u64,
}

impl Batch {
    /// The request that stores it in the bucket `foo`.
    pub(crate) fn post(&self) -> Request {
        let headers = [("Content-Type", "application/json"), ("Authorization", "Bearer token")];
        Request {
            method: Method::POST,
            path: "/foo".to_owned(),
            headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            body: Some(json!(self.records()).to_string().into_bytes()),
        }
    }

    pub(crate) fn size(&self) -> u64 {
        self.added + self.named
    }

    /// Its records, those of both parts in turn. Each says which batch it is of, and how large that is.
    pub(crate) fn records(&self) -> Vec<Json> {
        let Self { number, client, added, named } = *self;
        let record = |part: Part, place: u64| {
            let mut record =
                json!({"batch": number, "size": self.size(), "part": part.name(), "place": place});
            if part == Part::Named {
                record["_id"] = json!(format!("client{client}-{place}"));
            }
            record
        };
        (0..added.max(named))
            .flat_map(|place| [(Part::Added, place, added), (Part::Named, place, named)])
            .filter(|(_, place, length)| place < length)
            .map(|(part, place, _)| record(part, place))
            .collect()
    }
}

/// Which of a batch's records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    Added,
    Named,
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Named => "named",
        }
    }

    pub(crate) fn parse(name: &str) -> anyhow::Result<Self> {
        [Self::Added, Self::Named].into_iter().find(|part| part.name() == name).context("no such part")
    }
}

/// How many records of a part of a batch are stored, and the sum of their places.
pub(crate) type Stored = BTreeMap<(u64, Part), (u64, u64)>;

/// Whether a batch is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Stored,
    NotStored,
    /// Its client got no answer.
    Unknown,
}

/// All batches that were sent.
#[derive(Debug, Default)]
pub(crate) struct Ledger(BTreeMap<u64, (Batch, Fate)>);

impl Ledger {
    /// Takes down what became of a batch, as far as its client knows.
    pub(crate) fn record(&mut self, batch: Batch, acknowledged: bool) {
        self.0.insert(batch.number, (batch, if acknowledged { Fate::Stored } else { Fate::Unknown }));
    }

    /// How many are stored.
    pub(crate) fn stored(&self) -> usize {
        self.0.values().filter(|(_, fate)| *fate == Fate::Stored).count()
    }

    pub(crate) fn size_of(&self, number: u64) -> Option<u64> {
        self.0.get(&number).map(|(batch, _)| batch.size())
    }

    /// Checks that every acknowledged batch is stored, and every batch whole or not at all. From then on it
    /// is known of all of them.
    pub(crate) fn check(&mut self, stored: &Stored) -> anyhow::Result<()> {
        for (number, part) in stored.keys() {
            ensure!(self.0.contains_key(number), "{part:?} records of {number}, which nobody sent");
        }
        for (batch, fate) in self.0.values_mut() {
            *fate = fate_of(batch, *fate, stored).with_context(|| format!("{batch:?} {fate:?}"))?;
        }
        self.check_replaced(stored)
    }

    /// Of the batches of a client that have named records, the last one's are there, and no others.
    fn check_replaced(&self, stored: &Stored) -> anyhow::Result<()> {
        let mut last = BTreeMap::new();
        for (batch, fate) in self.0.values() {
            if batch.named > 0 && *fate == Fate::Stored {
                last.insert(batch.client, batch.number);
            }
        }
        for (batch, _) in self.0.values().filter(|(batch, _)| batch.named > 0) {
            let there = is_whole(batch.number, Part::Named, batch.named, stored)?;
            let is_last = last.get(&batch.client) == Some(&batch.number);
            ensure!(there == is_last, "named records of {batch:?}: there {there}, the last {is_last}");
        }
        Ok(())
    }
}

/// Whether a batch is stored, which what is stored must leave no doubt of.
fn fate_of(batch: &Batch, fate: Fate, stored: &Stored) -> anyhow::Result<Fate> {
    let added = is_whole(batch.number, Part::Added, batch.added, stored)?;
    let named = is_whole(batch.number, Part::Named, batch.named, stored)?;
    match fate {
        // Its named records may have been replaced since.
        Fate::Stored => ensure!(added || batch.added == 0, "it was acknowledged and is not there"),
        Fate::NotStored => ensure!(!added && !named, "it was not stored and is there now"),
        Fate::Unknown => {
            let one_part = batch.added == 0 || batch.named == 0;
            ensure!(one_part || added == named, "one part of it is there, the other not");
            return Ok(if added || named { Fate::Stored } else { Fate::NotStored });
        }
    }
    Ok(fate)
}

/// Whether all records of a part are there; false if none is.
fn is_whole(number: u64, part: Part, length: u64, stored: &Stored) -> anyhow::Result<bool> {
    let Some((count, sum)) = stored.get(&(number, part)) else { return Ok(false) };
    let expected = length * length.saturating_sub(1) / 2;
    ensure!(
        *count == length && *sum == expected,
        "of {length} {part:?} records {count} are there, whose places add up to {sum}"
    );
    Ok(true)
}

/// Asks a bucket for what [`stored`] reads.
pub(crate) const STORED: &str = "?group_by=batch&group_by=part&collect=place:sum&flatten=true";

/// What is stored, of groups that the read app answers with.
pub(crate) fn stored(groups: &[Json]) -> anyhow::Result<Stored> {
    let parse = |group: &Json| {
        let key = (number(group, "batch")?, part(group)?);
        Ok((key, (number(group, "_count")?, number(group, "place:sum")?)))
    };
    groups.iter().map(parse).collect()
}

pub(crate) fn number(record: &Json, key: &str) -> anyhow::Result<u64> {
    let number = &record[key];
    let whole = number.as_u64().or_else(|| number.to_string().strip_suffix(".0")?.parse().ok());
    whole.with_context(|| format!("no {key} in {record}"))
}

pub(crate) fn part(record: &Json) -> anyhow::Result<Part> {
    Part::parse(record["part"].as_str().context("no part")?)
}
