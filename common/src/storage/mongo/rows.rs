//! From the groups that a pipeline answers with to [`Row`]s.

use mongodb::bson::RawBsonRef;
use mongodb::bson::raw::RawDocument;

use crate::aggregate::{CompensatedSum, Partial, Sum};
use crate::query::{GroupQuery, InvalidQuery};
use crate::storage::document::{damaged, value_of};
use crate::storage::{CollectedField, Row, StorageError, StorageErrorKind};
use crate::timestamp::Timestamp;
use crate::value::{Value, ValueRef, exact_int};

/// Reads the groups of one query.
pub(super) struct RowReader {
    query: GroupQuery,
    fields: Vec<CollectedField>,
    /// How many members the sets of the groups that were read have.
    members: usize,
}

impl RowReader {
    pub(super) fn new(query: GroupQuery) -> Self {
        Self { fields: query.collected_fields(), query, members: 0 }
    }

    /// Reads one group.
    ///
    /// # Errors
    ///
    /// [`StorageErrorKind::Internal`] if it is not what the pipeline makes; [`StorageErrorKind::TooManyRows`] if
    /// the sets of all groups have too many members.
    pub(super) fn read(&mut self, group: &RawDocument) -> Result<Row, StorageError> {
        let id = group.get_document("_id").map_err(damaged)?;
        let keys = (0..self.query.keys.len()).map(|place| key(group, id, place));
        let start = match self.query.window {
            Some(_) => Some(time(required(id, "start")?)?),
            None => None,
        };
        let partials = self.fields.iter().enumerate().map(|(place, field)| partial(group, place, field));
        let collected: Box<[Partial]> = partials.collect::<Result<_, _>>()?;
        self.members += collected.iter().map(Partial::members).sum::<usize>();
        if self.members > self.query.max_rows {
            let error = InvalidQuery::TooManyMembers { max: self.query.max_rows };
            return Err(StorageError::new(StorageErrorKind::TooManyRows, error));
        }
        Ok(Row { keys: keys.collect::<Result<_, _>>()?, start, count: count(group, "count")?, collected })
    }
}

/// A key of a group. Where some of its records spell it as an integer, that is what is shown.
fn key(group: &RawDocument, id: &RawDocument, place: usize) -> Result<Value, StorageError> {
    let key = value_of(required(id, &format!("k{place}"))?)?.to_value();
    let has_int = required(group, &format!("k{place}_int"))? == RawBsonRef::Boolean(true);
    Ok(match key {
        Value::Float(float) if has_int => exact_int(float).map_or(key, Value::Int),
        key => key,
    })
}

fn partial(group: &RawDocument, place: usize, field: &CollectedField) -> Result<Partial, StorageError> {
    let name = |part: &str| format!("c{place}_{part}");
    let mut partial = Partial::new(field.wants_set);
    if field.wants_count || field.wants_sum {
        partial.values = count(group, &name("values"))?;
    }
    if field.wants_sum {
        let mut float_sum = CompensatedSum::default();
        float_sum.add(float(required(group, &name("float_sum"))?)?);
        partial.sum = Sum {
            ints: count(group, &name("ints"))?,
            int_sum: int(required(group, &name("int_sum"))?)?,
            floats: count(group, &name("floats"))?,
            float_sum,
        };
    }
    if field.wants_set {
        for part in ["set_ints", "set_rest"] {
            for value in group.get_array(name(part)).map_err(damaged)? {
                partial.add_to_set(value_of(value.map_err(damaged)?)?);
            }
        }
    }
    Ok(partial)
}

fn required<'a>(document: &'a RawDocument, key: &str) -> Result<RawBsonRef<'a>, StorageError> {
    let value = document.get(key).map_err(damaged)?;
    value.ok_or_else(|| damaged(format!("a group without {key}")))
}

fn count(group: &RawDocument, key: &str) -> Result<u64, StorageError> {
    u64::try_from(int(required(group, key)?)?).map_err(damaged)
}

/// A sum of integers, in whichever type the server found room for it.
fn int(value: RawBsonRef<'_>) -> Result<i128, StorageError> {
    match value {
        RawBsonRef::Int32(int) => Ok(int.into()),
        RawBsonRef::Int64(int) => Ok(int.into()),
        RawBsonRef::Decimal128(decimal) => parse_decimal(&decimal.to_string()),
        other => Err(damaged(format!("a sum of integers as {:?}", other.element_type()))),
    }
}

/// An integer as decimals are written: digits, perhaps with a point or an exponent.
fn parse_decimal(text: &str) -> Result<i128, StorageError> {
    let not_an_integer = || damaged(format!("a sum of integers as {text}"));
    let (digits, exponent) = text.split_once('E').unwrap_or((text, "0"));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let exponent: i32 = exponent.trim_start_matches('+').parse().map_err(damaged)?;
    let places = exponent - i32::try_from(fraction.len()).map_err(damaged)?;
    let mut sum: i128 = format!("{whole}{fraction}").parse().map_err(damaged)?;
    // A sum of nothing may be 0E-33. No sum has as many as 40 digits.
    if sum == 0 {
        return Ok(0);
    }
    for _ in 0..places.unsigned_abs().min(40) {
        let scaled = if places > 0 { sum.checked_mul(10) } else { (sum % 10 == 0).then_some(sum / 10) };
        sum = scaled.ok_or_else(not_an_integer)?;
    }
    Ok(sum)
}

#[expect(clippy::cast_precision_loss, reason = "of no floats the sum is the integer 0")]
fn float(value: RawBsonRef<'_>) -> Result<f64, StorageError> {
    match value {
        RawBsonRef::Double(float) => Ok(float),
        other => int(other).map(|int| int as f64),
    }
}

fn time(value: RawBsonRef<'_>) -> Result<Timestamp, StorageError> {
    match value_of(value)? {
        ValueRef::Time(time) => Ok(time),
        other => Err(damaged(format!("a period that starts at {other:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_integers_as_decimals() {
        let check = |text: &str, expected: Option<i128>| {
            assert_eq!(parse_decimal(text).ok(), expected, "{text}");
        };
        check("0", Some(0));
        check("-18446744073709551614", Some(-18_446_744_073_709_551_614));
        check("1.8446744073709551614E+19", Some(18_446_744_073_709_551_614));
        check("1E+3", Some(1000));
        check("3.000000000000000000000000000000000", Some(3));
        check("0E-33", Some(0));
        check("1200E-2", Some(12));
        check("1.5", None);
        check("1.25E+1", None);
        check("1.25E+2", Some(125));
        check("NaN", None);
        check("Infinity", None);
        check("1E+6000", None);
        check("1E-2", None);
    }
}
