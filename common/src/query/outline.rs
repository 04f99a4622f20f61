//! What a query is like, for the log: names of parameters and fields, how many values, which period. What a client
//! looks for is never in it.

use std::collections::BTreeSet;

use super::args::QueryArgs;
use crate::field::FieldName;
use crate::period::Period;

/// So many fields are named.
const NAMED: usize = 10;

/// The shape of a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outline {
    /// The parameters that it has, in one text.
    pub parameters: String,
    /// The fields that it is about, or the first of them, in one text.
    pub fields: String,
    /// How many fields and values it has, all in all.
    pub values: usize,
    /// The period that it groups by.
    pub period: Option<Period>,
}

impl QueryArgs {
    /// What the query is like.
    pub fn outline(&self) -> Outline {
        let lists = [
            ("filter_by", &self.filter_by),
            ("filter_by_prefix", &self.filter_by_prefix),
            ("group_by", &self.group_by),
            ("collect", &self.collect),
        ];
        let singles = [
            ("period", &self.period),
            ("start_at", &self.start_at),
            ("end_at", &self.end_at),
            ("duration", &self.duration),
            ("sort_by", &self.sort_by),
            ("limit", &self.limit),
            ("flatten", &self.flatten),
        ];
        let listed = lists.iter().filter(|(_, values)| !values.is_empty()).map(|(name, _)| *name);
        let given = singles.iter().filter(|(_, value)| value.is_some()).map(|(name, _)| *name);
        let of_fields = lists.iter().flat_map(|(_, values)| values.iter()).chain(&self.sort_by);
        let fields: BTreeSet<FieldName> = of_fields.filter_map(|value| field(value)).collect();
        let named: Vec<&str> = fields.iter().take(NAMED).map(FieldName::as_str).collect();
        Outline {
            parameters: listed.chain(given).collect::<Vec<_>>().join(" "),
            fields: named.join(" "),
            values: lists.iter().map(|(_, values)| values.len()).sum(),
            period: self.period.as_deref().and_then(Period::parse),
        }
    }
}

/// The field that a value begins with, if it is one that a record may have.
fn field(value: &str) -> Option<FieldName> {
    FieldName::parse(value.split(':').next().unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_names_and_no_values() {
        let query = "filter_by=kind:secret&filter_by=kind:tok-en&group_by=size&collect=cost:sum&period=week\
                     &sort_by=_count:descending&start_at=2013-01-07T00:00:00Z&filter_by=sec ret:1&format=csv";
        let outline = QueryArgs::parse(query).expect("a query").outline();
        let expected = Outline {
            parameters: "filter_by group_by collect period start_at sort_by".to_owned(),
            fields: "_count cost kind size".to_owned(),
            values: 5,
            period: Some(Period::Week),
        };
        assert_eq!(outline, expected);
    }

    #[test]
    fn it_is_short() {
        let filters: Vec<_> = (0..3000).map(|number| format!("filter_by=field{number}:x")).collect();
        let query = filters.join("&");
        let outline = QueryArgs::parse(&query).expect("a query").outline();
        assert_eq!((outline.values, outline.fields.split(' ').count()), (3000, NAMED));
    }
}
