//! How large things may be: every bound that is the same in every installation, in one table.
//!
//! Each bound is shared by everything that stores (POST, PATCH, uploads, restore) and by everything that
//! shows. Bounds that an operator can change are settings. `docs/operate/limits.md` is this table, printed.

/// The bytes of the longest name of a field. Names are repeated in every answer.
pub const FIELD_NAME_BYTES: usize = 128;
/// The most fields of a record, reserved keys aside. A page has a column for each.
pub const RECORD_FIELDS: usize = 1_000;
/// The bytes of the longest text that a field may hold. A text that is grouped by is repeated in every period.
pub const VALUE_BYTES: usize = 262_144;
/// The bytes of the largest record in its stored form. Exports, MongoDB and pages have room for such a record.
pub const RECORD_BYTES: usize = 1_048_576;
/// The bytes of the longest head of a request. The address of a query is in it.
pub const HEAD_BYTES: usize = 64 * 1024;

/// The most columns of raw records as CSV. Each row has a place for each column.
pub const CSV_COLUMNS: usize = 10_000;

/// The bytes of the longest `_id`, sent or made from `auto_ids`. An index has it, and so has a path.
pub const RECORD_ID_BYTES: usize = 1_024;

/// The bytes of the longest name of a new bucket, data group, data type or upload filter.
pub const CONFIGURED_NAME_BYTES: usize = 255;
/// How many fields may make an `_id`, and how many filters an upload may run through.
pub const CONFIGURED_NAMES: usize = 100;
/// The bytes of the longest email address; RFC 5321 has 64 for the name, an `@`, and 255 for the host.
pub const EMAIL_BYTES: usize = 320;

/// The bytes of the longest query string that is taken apart.
pub const QUERY_BYTES: usize = 32_768;
/// How often `filter_by` may be given, or `filter_by_prefix`. Pages that people look at give a few.
pub const FILTER_VALUES: usize = 1_000;
/// How often `group_by` may be given.
pub const GROUP_KEYS: usize = 100;
/// How often `collect` may be given. A column is as long as the answer, and there are two where no method is given.
pub const COLLECTED: usize = 100;

/// A bound, as the documentation tells of it.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// What is bounded.
    pub what: &'static str,
    /// How much is allowed, in the unit.
    pub most: usize,
    /// The unit: bytes, fields, values.
    pub unit: &'static str,
    /// What a client is told beyond it, or what is done.
    pub beyond: &'static str,
}

/// Every bound, in the order in which the documentation lists them.
pub const LIMITS: &[Limit] = &[
    Limit {
        what: "name of a field",
        most: FIELD_NAME_BYTES,
        unit: "bytes",
        beyond: "400; the message shows the beginning of the name",
    },
    Limit {
        what: "fields of a record, reserved keys aside",
        most: RECORD_FIELDS,
        unit: "fields",
        beyond: "400; nothing of the request is stored",
    },
    Limit {
        what: "a text in a record",
        most: VALUE_BYTES,
        unit: "bytes",
        beyond: "400; nothing of the request is stored",
    },
    Limit {
        what: "a record in its stored form, after a PATCH too",
        most: RECORD_BYTES,
        unit: "bytes",
        beyond: "400; nothing of the request is stored",
    },
    Limit {
        what: "head of a request: its line, with the address, and all of its headers",
        most: HEAD_BYTES,
        unit: "bytes",
        beyond: "431 or 414, and the connection is closed",
    },
    Limit {
        what: "different fields of the raw records that a CSV lists",
        most: CSV_COLUMNS,
        unit: "columns",
        beyond: "400; as JSON there is no such bound",
    },
    Limit {
        what: "an `_id`, one of `auto_ids` too",
        most: RECORD_ID_BYTES,
        unit: "bytes",
        beyond: "400; nothing of the request is stored",
    },
    Limit {
        what: "the name of a bucket, `data_group`, `data_type`, a name in `upload_filters`",
        most: CONFIGURED_NAME_BYTES,
        unit: "bytes",
        beyond: "the configuration is refused",
    },
    Limit {
        what: "`auto_ids` and `upload_filters` of a bucket",
        most: CONFIGURED_NAMES,
        unit: "names",
        beyond: "the configuration is refused",
    },
    Limit { what: "an email address", most: EMAIL_BYTES, unit: "bytes", beyond: "the user is refused" },
    Limit { what: "a query string", most: QUERY_BYTES, unit: "bytes", beyond: "400" },
    Limit {
        what: "`filter_by` in a query, and `filter_by_prefix`",
        most: FILTER_VALUES,
        unit: "times",
        beyond: "400",
    },
    Limit { what: "`group_by` in a query", most: GROUP_KEYS, unit: "times", beyond: "400" },
    Limit { what: "`collect` in a query", most: COLLECTED, unit: "times", beyond: "400" },
];

/// The table as Markdown.
pub fn table() -> String {
    let row = |limit: &Limit| {
        let Limit { what, most, unit, beyond } = limit;
        format!("| {what} | {} {unit} | {beyond} |\n", grouped(*most))
    };
    let rows: String = LIMITS.iter().map(row).collect();
    format!("| what | at most | beyond it |\n| --- | --- | --- |\n{rows}")
}

/// A number with a comma before every three digits.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    const BEGIN: &str = "<!-- the table of common/src/limits.rs: BACKDROP_PRINT_DOCS=1 cargo test -p backdrop-common limits -->\n";
    const END: &str = "<!-- end of the table -->\n";

    #[test]
    fn the_documentation_has_the_table() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operate/limits.md");
        let page = fs::read_to_string(&path).expect("docs/operate/limits.md");
        let (before, rest) = page.split_once(BEGIN).expect("the beginning of the table");
        let (_, after) = rest.split_once(END).expect("the end of the table");
        let wanted = format!("{before}{BEGIN}{}{END}{after}", table());
        if std::env::var_os("BACKDROP_PRINT_DOCS").is_some() {
            fs::write(&path, &wanted).expect("docs/operate/limits.md can be written");
        } else {
            assert_eq!(page, wanted, "print it with BACKDROP_PRINT_DOCS=1");
        }
    }

    #[test]
    fn numbers_are_read_in_groups_of_three_digits() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_048_576, "1,048,576")] {
            assert_eq!(grouped(number), text);
        }
    }
}
