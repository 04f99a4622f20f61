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
/// The bytes of the largest schema of a bucket.
pub const SCHEMA_BYTES: usize = 262_144;
/// How deep lists and objects in a schema may be nested, and how deep its references may lead. Who reads it goes as deep.
pub const SCHEMA_DEPTH: usize = 64;
/// The most steps that a schema may take for a record: schemas that are looked at, each as often as it is referred to.
pub const SCHEMA_STEPS: usize = 20_000;
/// The most different patterns of a schema. Each is a machine of up to two megabytes.
pub const SCHEMA_PATTERNS: usize = 200;
/// The most violations of a schema that are listed of one record.
pub const VIOLATIONS: usize = 100;
/// The characters of the longest message about a violation.
pub const VIOLATION_CHARACTERS: usize = 200;

/// The bytes of the largest configuration, user or entry of the audit log in a dump.
pub const DUMP_ENTRY_BYTES: usize = 1_048_576;
/// The most buckets, and the most users, of a dump.
pub const DUMP_ENTRIES: usize = 100_000;
/// The bytes of all configurations of a dump together, and of all users: they are in memory at once.
pub const DUMP_REGISTRY_BYTES: usize = 67_108_864;
/// The bytes of the largest file that a command reads at once: a seed file, a file of users, the manifest of a dump.
pub const COMMAND_FILE_BYTES: usize = 67_108_864;

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
        what: "schema of a bucket",
        most: SCHEMA_BYTES,
        unit: "bytes",
        beyond: "the configuration is refused, in a form, a seed file and a dump",
    },
    Limit {
        what: "nesting of a schema, and of its references",
        most: SCHEMA_DEPTH,
        unit: "levels",
        beyond: "the configuration is refused",
    },
    Limit {
        what: "work of a schema for a record, each reference followed",
        most: SCHEMA_STEPS,
        unit: "steps",
        beyond: "the configuration is refused",
    },
    Limit {
        what: "different patterns in a schema",
        most: SCHEMA_PATTERNS,
        unit: "patterns",
        beyond: "the configuration is refused",
    },
    Limit {
        what: "violations of a schema by one record",
        most: VIOLATIONS,
        unit: "messages",
        beyond: "one more message says how many there are besides",
    },
    Limit {
        what: "message about a violation",
        most: VIOLATION_CHARACTERS,
        unit: "characters",
        beyond: "the value is shown by its beginning, and the message ends with an ellipsis",
    },
    Limit {
        what: "configuration, user or entry of the audit log in a dump",
        most: DUMP_ENTRY_BYTES,
        unit: "bytes",
        beyond: "the dump is refused, and nothing of it is stored",
    },
    Limit {
        what: "buckets in a dump, and users",
        most: DUMP_ENTRIES,
        unit: "of each",
        beyond: "the dump is refused, and nothing of it is stored",
    },
    Limit {
        what: "configurations in a dump, all together, and users",
        most: DUMP_REGISTRY_BYTES,
        unit: "bytes of each",
        beyond: "the dump is refused, and nothing of it is stored",
    },
    Limit {
        what: "file that a command reads: seeds, users, the manifest of a dump",
        most: COMMAND_FILE_BYTES,
        unit: "bytes",
        beyond: "the command does nothing",
    },
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
