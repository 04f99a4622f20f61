//! Cells of workbooks: what a number means under its format, and dates as ISO text.

use backdrop_common::record::sent::SentValue;
use backdrop_common::timestamp::Timestamp;
use calamine::{Data, ExcelDateTime};

use super::fault::{Rule, excerpt};
use super::table::Cell;
use super::text::control_character;

/// Up to here every whole number is a float of its own.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;
/// The day after the last that a date can be, in days since the epoch of 1900.
const END_OF_DATES: f64 = 2_958_466.0;

/// The cell in our terms.
pub(crate) fn cell(value: Data) -> Cell {
    match value {
        Data::Empty => Cell::Empty,
        Data::String(text) | Data::DurationIso(text) => match control_character(&text) {
            Some(letter) => Cell::Bad(Rule::ControlCharacter { letter, given: excerpt(&text) }),
            None => Cell::text(text),
        },
        Data::Int(int) => number(int.to_string()),
        Data::Float(float) => float_cell(float),
        Data::Bool(value) => Cell::Value(SentValue::Bool(value)),
        Data::DateTime(date) => date_cell(&date),
        Data::DateTimeIso(text) => match Timestamp::parse(&text) {
            Ok(timestamp) => Cell::text(timestamp.to_string()),
            Err(_) => Cell::text(text),
        },
        Data::Error(error) => Cell::Bad(Rule::CellError(error.to_string())),
    }
}

fn number(spelling: String) -> Cell {
    Cell::Value(SentValue::Number(spelling.into()))
}

/// A workbook knows floats only; whole ones are integers to everybody who looks at them.
fn float_cell(float: f64) -> Cell {
    if float.fract() == 0.0 && float.abs() <= MAX_EXACT {
        return number(format!("{:.0}", float + 0.0));
    }
    match serde_json::Number::from_f64(float) {
        Some(spelling) => number(spelling.to_string()),
        None => Cell::Bad(Rule::CellError("#NUM!".to_owned())),
    }
}

/// A date is an instant in UTC; a time of day and a duration, which are none, are text.
fn date_cell(date: &ExcelDateTime) -> Cell {
    let days = date.as_f64();
    if !(0.0..END_OF_DATES).contains(&days) {
        return Cell::Bad(Rule::NoSuchDate(days.to_string()));
    }
    if date.is_duration() || days < 1.0 {
        return Cell::text(clock(days));
    }
    let (year, month, day, hour, minute, second, millis) = date.to_ymd_hms_milli();
    let text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z");
    match Timestamp::parse(&text) {
        Ok(timestamp) => Cell::text(timestamp.to_string()),
        // The 29th of February 1900, which workbooks have and the calendar has not.
        Err(_) => Cell::Bad(Rule::NoSuchDate(days.to_string())),
    }
}

/// Hours, minutes and seconds of a part of a day, or of more than one.
fn clock(days: f64) -> String {
    let seconds = (days * 86_400.0).round();
    let (hours, minutes) = ((seconds / 3600.0).floor(), (seconds / 60.0).floor());
    format!("{hours:02.0}:{:02.0}:{:02.0}", minutes % 60.0, seconds % 60.0)
}

#[cfg(test)]
mod tests {
    use calamine::{CellErrorType, ExcelDateTimeType};

    use super::*;

    #[track_caller]
    fn check(data: Data, expected: &str) {
        let shown = match cell(data) {
            Cell::Empty => "empty".to_owned(),
            Cell::Value(SentValue::Number(text)) => format!("number {text}"),
            Cell::Value(SentValue::Text(text)) => format!("text {text}"),
            Cell::Value(other) => format!("{other:?}"),
            Cell::Bad(rule) => rule.to_string(),
        };
        assert_eq!(shown, expected);
    }

    fn date(days: f64, is_1904: bool) -> Data {
        Data::DateTime(ExcelDateTime::new(days, ExcelDateTimeType::DateTime, is_1904))
    }

    #[test]
    fn numbers() {
        check(Data::Float(12.0), "number 12");
        check(Data::Float(-0.0), "number 0");
        check(Data::Float(12.5), "number 12.5");
        check(Data::Float(9_007_199_254_740_992.0), "number 9007199254740992");
        check(Data::Float(1e300), "number 1e+300");
        check(Data::Float(f64::INFINITY), "the cell shows the error #NUM!");
        check(Data::Int(-3), "number -3");
        check(Data::Bool(true), "Bool(true)");
    }

    #[test]
    fn texts_and_errors() {
        check(Data::String("007".to_owned()), "text 007");
        check(Data::String("  ".to_owned()), "empty");
        check(Data::Empty, "empty");
        check(Data::Error(CellErrorType::NA), "the cell shows the error #N/A");
    }

    #[test]
    fn dates_of_both_epochs() {
        check(date(41_275.0, false), "text 2013-01-01T00:00:00+00:00");
        check(date(39_813.0, true), "text 2013-01-01T00:00:00+00:00");
        check(date(41_275.604_166_666_664, false), "text 2013-01-01T14:30:00+00:00");
        check(date(41_275.000_005_787_037, false), "text 2013-01-01T00:00:00.500+00:00");
        check(date(60.0, false), "the date in this cell does not exist: 60");
        check(date(-1.0, false), "the date in this cell does not exist: -1");
        check(date(1e15, false), "the date in this cell does not exist: 1000000000000000");
        check(date(f64::NAN, false), "the date in this cell does not exist: NaN");
        check(Data::String("a\u{1}".to_owned()), "“a\u{fffd}” has a character that no text has (U+0001)");
        check(Data::DateTimeIso("2013-01-01T10:00:00".to_owned()), "text 2013-01-01T10:00:00+00:00");
    }

    #[test]
    fn times_of_day_and_durations() {
        check(date(0.5, false), "text 12:00:00");
        let duration = ExcelDateTime::new(1.5, ExcelDateTimeType::TimeDelta, false);
        check(Data::DateTime(duration), "text 36:00:00");
    }
}
