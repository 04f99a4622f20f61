//! Records of other shapes than [`crate::records`], which is kind to dictionaries: what a benchmark
//! of an engine should also be run on.

use std::fmt::Write as _;

use backdrop_common::timestamp::Timestamp;

use crate::random::Random;
use crate::records::START_MILLIS;

/// A kind of data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Two fields whose combinations are nearly as many as the records.
    ManyGroups,
    /// A text that no two records share.
    HighCardinality,
    /// Sixty fields.
    Wide,
    /// A field that is an integer, a float, a text, a boolean, null or missing.
    Mixed,
}

impl Shape {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::ManyGroups, Self::HighCardinality, Self::Wide, Self::Mixed];

    /// A name for reports and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::ManyGroups => "many_groups",
            Self::HighCardinality => "high_cardinality",
            Self::Wide => "wide",
            Self::Mixed => "mixed",
        }
    }

    /// A query that asks for what is unkind in it.
    pub fn query(self) -> &'static str {
        match self {
            Self::ManyGroups => "group_by=user&group_by=item&collect=amount:sum",
            Self::HighCardinality => "group_by=kind&collect=session:count&filter_by_prefix=session:a",
            Self::Wide => "group_by=field_07&collect=field_31:sum&collect=field_59:mean",
            Self::Mixed => "group_by=value&sort_by=_count:descending&limit=10",
        }
    }

    /// A body to POST: the records from number `first` on, as a JSON list.
    pub fn json_batch(self, first: u64, count: u64) -> String {
        let mut json = String::from("[");
        for index in first..first + count {
            let separator = if index > first { "," } else { "" };
            let mut random = Random::of_record(self as u64, index);
            let time = Timestamp::from_millis(START_MILLIS + random.below(1 << 35).cast_signed());
            let time = time.unwrap_or(Timestamp::MIN);
            // A String takes whatever is written to it.
            let _ = write!(json, r#"{separator}{{"_timestamp":"{time}""#);
            self.write_fields(&mut random, &mut json);
            json.push('}');
        }
        json.push(']');
        json
    }

    fn write_fields(self, random: &mut Random, json: &mut String) {
        let _ = match self {
            Self::ManyGroups => write!(
                json,
                r#","user":"user-{}","item":{},"amount":{}"#,
                random.below(20_000),
                random.below(500),
                random.below(100)
            ),
            Self::HighCardinality => {
                let session = u128::from(random.below(u64::MAX)) << 64 | u128::from(random.below(u64::MAX));
                write!(json, r#","session":"{session:032x}","kind":"kind-{}""#, random.below(8))
            }
            Self::Wide => (0..60).try_for_each(|field| match field % 3 {
                0 => write!(json, r#","field_{field:02}":"text-{}""#, random.below(50)),
                1 => write!(json, r#","field_{field:02}":{}"#, random.below(1000)),
                _ => write!(json, r#","field_{field:02}":{}"#, random.unit()),
            }),
            Self::Mixed => match random.below(6) {
                0 => write!(json, r#","value":{}"#, random.below(100)),
                1 => write!(json, r#","value":{}.5"#, random.below(100)),
                2 => write!(json, r#","value":"text-{}""#, random.below(100)),
                3 => write!(json, r#","value":{}"#, random.below(2) == 0),
                4 => write!(json, r#","value":null"#),
                _ => Ok(()),
            },
        };
    }
}

#[cfg(test)]
mod tests {
    use backdrop_common::query::args::{QueryArgs, QueryContext};
    use backdrop_common::record::checks::check_records;
    use backdrop_common::record::sent::SentBody;

    use super::*;

    #[test]
    fn every_shape_makes_records_that_can_be_stored() {
        for shape in Shape::ALL {
            let json = shape.json_batch(0, 100);
            let sent = SentBody::parse(json.as_bytes()).expect("JSON").into_records();
            let records = check_records(&sent, &[], None).expect("records");
            assert_eq!(records.len(), 100, "{}", shape.name());
        }
    }

    #[test]
    fn every_query_can_be_asked() {
        for shape in Shape::ALL {
            let now = Timestamp::MIN;
            let context = QueryContext { raw_queries_allowed: true, now, max_rows: 1_000_000 };
            let query = QueryArgs::parse(shape.query()).and_then(|args| args.into_query(&context));
            assert!(query.is_ok(), "{}", shape.name());
        }
    }
}
