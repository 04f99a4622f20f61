//! The three pages of an upload: the form with what was wrong, the preview, the receipt.

use std::borrow::Borrow;

use askama::Template;
use backdrop_common::bucket::{BucketConfig, UploadFormat};
use backdrop_common::timestamp::Timestamp;
use backdrop_pages::Page;
use rocket::http::Status;
use uuid::Uuid;

use super::sent::NoFile;
use super::{Looked, Receipt, notes};
use crate::admin::{Frame, PageError, words};
use crate::upload::preview::Preview;
use crate::upload::time_column::TimeColumn;
use crate::upload::{Faults, Table};

/// Why the form is shown again.
pub(crate) enum Problem {
    /// There is no file.
    NoFile(NoFile),
    /// The file has faults.
    Faults {
        /// Its name.
        file: String,
        /// Its faults.
        faults: Faults,
    },
    /// It waited for too long, or the program was started again meanwhile.
    Gone,
    /// It is being stored, in answer to the same form sent before.
    Busy,
}

impl Problem {
    fn status(&self) -> Status {
        match self {
            Self::NoFile(reason) => reason.status(),
            Self::Faults { .. } => Status::BadRequest,
            Self::Gone => Status::Gone,
            Self::Busy => Status::Conflict,
        }
    }

    fn title(&self) -> String {
        match self {
            Self::NoFile(reason) => reason.to_string(),
            Self::Faults { file, faults } if faults.total == 1 => {
                format!("Nothing of {file} was stored: it has one fault")
            }
            Self::Faults { file, faults } => {
                format!("Nothing of {file} was stored: it has {} faults", count(faults.total))
            }
            Self::Gone => "The file is not here any more".to_owned(),
            Self::Busy => "The file is being stored".to_owned(),
        }
    }

    fn text(&self) -> &'static str {
        match self {
            Self::NoFile(NoFile::NotChosen) => "Choose one below.",
            Self::NoFile(NoFile::TooLarge) => "Nothing of it was stored. Split it into several files.",
            Self::NoFile(NoFile::Broken) => "Nothing of it was stored. Choose it again.",
            Self::Faults { .. } => "Correct the file, save it, and choose it again.",
            Self::Gone => {
                "A file waits for a quarter of an hour, and no longer than the program runs. Nothing of it was \
                 stored since it was last shown to you. Choose it again."
            }
            Self::Busy => "Wait a few seconds and load this page again; it then shows the receipt.",
        }
    }

    fn faults(&self) -> Option<&Faults> {
        match self {
            Self::Faults { faults, .. } => Some(faults),
            Self::NoFile(_) | Self::Gone | Self::Busy => None,
        }
    }
}

#[derive(Template)]
#[template(path = "upload.html")]
struct FormPage<'a> {
    frame: Frame,
    bucket: &'a BucketConfig,
    max: String,
    /// Keys that every row must have.
    required: Vec<String>,
    problem: Option<Problem>,
}

impl FormPage<'_> {
    /// What people who look after the bucket said that its files are. It decides nothing.
    fn usual_format(&self) -> &'static str {
        match self.bucket.upload_format {
            UploadFormat::Csv => "CSV",
            UploadFormat::Excel => "Excel workbooks",
        }
    }
}

/// A number as people read it. Templates hand over references.
fn count(number: impl Borrow<usize>) -> String {
    words::count(*number.borrow() as u64)
}

/// A number of things as people read it.
fn counted(number: impl Borrow<usize>, thing: &str) -> String {
    words::counted(*number.borrow() as u64, thing)
}

/// The page with the form, and with what was wrong.
pub(crate) fn form(
    frame: Frame,
    bucket: &BucketConfig,
    max_bytes: usize,
    problem: Option<Problem>,
) -> Result<Page, PageError> {
    let status = problem.as_ref().map_or(Status::Ok, Problem::status);
    let page = FormPage { frame, bucket, max: size(max_bytes), required: required(bucket), problem };
    Ok(Page::render(&page)?.with_status(status))
}

/// The keys that every record of a bucket must have, as far as its schema says so plainly.
fn required(bucket: &BucketConfig) -> Vec<String> {
    let schema = bucket.schema.as_ref().and_then(|schema| schema.parse().ok());
    let required = schema.as_ref().and_then(|schema| schema.get("required")?.as_array());
    let of_schema = required.into_iter().flatten().filter_map(|key| key.as_str().map(str::to_owned));
    let mut keys: Vec<String> = bucket.auto_ids.iter().cloned().chain(of_schema).collect();
    keys.sort();
    keys.dedup();
    keys
}

/// A number of bytes for people.
fn size(bytes: usize) -> String {
    match bytes {
        0..10_000 => format!("{bytes} bytes"),
        10_000..1_000_000 => format!("{} kB", bytes / 1000),
        _ if (bytes / 100_000).is_multiple_of(10) => format!("{} MB", bytes / 1_000_000),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10),
    }
}

#[derive(Template)]
#[template(path = "upload_preview.html")]
struct PreviewPage<'a> {
    frame: Frame,
    bucket: &'a BucketConfig,
    file: &'a str,
    staged: Uuid,
    table: &'a Table,
    preview: &'a Preview,
    times: &'a [TimeColumn],
    /// The heading of the one that is chosen at first.
    time_column: Option<&'a str>,
    /// Rows with the id of one further up.
    repeated: usize,
    /// Whether storing the file again changes nothing.
    have_ids: bool,
    /// What is left out, and what else there is to say about the file.
    notes: Vec<String>,
}

impl<'a> PreviewPage<'a> {
    fn new(frame: Frame, bucket: &'a BucketConfig, file: &'a str, staged: Uuid, looked: &'a Looked) -> Self {
        let Looked { table, preview, checked, times, time_column } = looked;
        let (repeated, have_ids) = (checked.repeated, checked.have_ids);
        let time_column = time_column.as_deref();
        let notes = notes(table);
        Self { frame, bucket, file, staged, table, preview, times, time_column, repeated, have_ids, notes }
    }
}

/// The page that shows what will be stored.
pub(crate) fn preview(
    frame: Frame,
    bucket: &BucketConfig,
    file: &str,
    staged: Uuid,
    looked: &Looked,
) -> Result<Page, PageError> {
    Ok(Page::render(&PreviewPage::new(frame, bucket, file, staged, looked))?)
}

#[derive(Template)]
#[template(path = "upload_receipt.html")]
struct ReceiptPage<'a> {
    frame: Frame,
    bucket: &'a BucketConfig,
    receipt: &'a Receipt,
}

impl ReceiptPage<'_> {
    fn summary(&self) -> &'static str {
        match (self.receipt.stored.new, self.receipt.stored.replaced) {
            (0, _) => {
                "All of it was there before: no record was added, and each was replaced by the one in the file."
            }
            (_, 0) => "All records are new.",
            _ => "Some records were there before, and were replaced by those in the file.",
        }
    }

    fn span(&self) -> Option<(Timestamp, Timestamp)> {
        self.receipt.span
    }
}

/// The page that says what was stored.
pub(crate) fn receipt(frame: Frame, bucket: &BucketConfig, receipt: &Receipt) -> Result<Page, PageError> {
    Ok(Page::render(&ReceiptPage { frame, bucket, receipt })?)
}

#[cfg(test)]
mod tests {
    use backdrop_common::bucket::BucketName;
    use backdrop_common::storage::Stored;
    use serde_json::json;

    use super::*;
    use crate::admin::upload::{Choice, look_through};
    use crate::upload::{Limits, read};

    fn frame() -> Frame {
        Frame { name: "Ann".to_owned(), is_admin: false, form_token: "t0ken".to_owned() }
    }

    fn bucket() -> BucketConfig {
        let mut bucket = BucketConfig::new(BucketName::parse("foo").expect("a name"));
        bucket.auto_ids = vec!["kind".to_owned()];
        bucket.schema = Some(json!({"required": ["kind", "count"]}).into());
        bucket
    }

    fn form(problem: Option<Problem>) -> String {
        let bucket = &bucket();
        FormPage { frame: frame(), bucket, max: size(1_000_000), required: required(bucket), problem }
            .render()
            .expect("a page")
    }

    #[track_caller]
    fn check_has(page: &str, parts: &[&str]) {
        for part in parts {
            assert!(page.contains(part), "{part} in {page}");
        }
    }

    #[test]
    fn sizes() {
        for (bytes, shown) in
            [(500, "500 bytes"), (20_000, "20 kB"), (1_000_000, "1 MB"), (2_560_000, "2.5 MB")]
        {
            assert_eq!(size(bytes), shown);
        }
    }

    #[test]
    fn the_form_says_what_it_wants() {
        let page = form(None);
        check_has(
            &page,
            &[
                "name=\"form_token\" value=\"t0ken\"",
                "enctype=\"multipart/form-data\"",
                "<label for=\"file\">File</label>",
                "up to 1 MB",
                "<code>count</code>, <code>kind</code>",
            ],
        );
        assert!(!page.contains("role=\"alert\""));
        check_has(
            &form(Some(Problem::NoFile(NoFile::TooLarge))),
            &["role=\"alert\"", "The file is too large"],
        );
        check_has(&form(Some(Problem::Gone)), &["not here any more", "Choose it again"]);
    }

    #[test]
    fn faults_are_listed_and_escaped() {
        let text = format!("<b>,aa\n{}", "1,2,3\n".repeat(60));
        // A heading in the first place would make it a web page.
        let text = text.replace("<b>,aa", "aa,<b>");
        let faults = read(text.as_bytes(), &[], Limits::of(10_000)).expect_err("faults");
        let page = form(Some(Problem::Faults { file: "<i>.csv".to_owned(), faults }));
        check_has(
            &page,
            &[
                "it has 61 faults",
                "the first 50 of 61 faults",
                "&#60;i&#62;.csv",
                "<td>1</td>\n<td>B</td>",
                "href=\"#faults\"",
                "href=\"#file\"",
                "Fix the file and choose it again",
            ],
        );
        assert!(!page.contains("<b>") && !page.contains("<i>"));
    }

    fn previewed(text: &str) -> String {
        let config = BucketConfig::new(BucketName::parse("foo").expect("a name"));
        let looked = look_through(text.as_bytes(), &config, None, Choice::Preferred, Limits::of(10_000));
        let looked = looked.expect("records");
        PreviewPage::new(frame(), &bucket(), "weather.csv", Uuid::nil(), &looked).render().expect("a page")
    }

    #[test]
    fn what_will_be_stored_is_shown() {
        let page = previewed("day,temp_max,comment\n2012-01-01,12.8,\n2012-01-02,n/a,<x>\n");
        check_has(
            &page,
            &[
                "2 rows, 2 columns",
                "The column comment is left out",
                "<option value=\"day\" selected>day</option>",
                "number (1), text (1)",
                "they cannot be added up",
                "there twice",
                "Store 2 rows",
                "action=\"/_user/buckets/foo/upload/store\"",
            ],
        );
        check_has(
            &previewed(&format!("day\n{}", "2012-01-01\n".repeat(1461))),
            &["1,461 rows, 1 column.", "time (1,461)", "Store 1,461 rows"],
        );
        check_has(
            &previewed("opened,day\n2012-01-01,2012-01-01\n,2012-01-02\n"),
            &["<option value=\"opened\">opened (empty in 1 row)", "<option value=\"day\" selected>"],
        );
        let page = previewed("_id,_timestamp\na,2012-01-01\na,2012-01-02");
        check_has(&page, &["One row has the same id"]);
        assert!(!page.contains("<select") && !page.contains("there twice"));
        check_has(&previewed("[{\"aa\": 1}]"), &["No column holds times only", "scope=\"col\">Line"]);
    }

    #[test]
    fn receipts() {
        for (new, replaced, summary) in [
            (2, 0, "All records are new."),
            (0, 2, "no record was added"),
            (1, 1, "Some records were there"),
            (1461, 0, "1,461 new"),
        ] {
            let receipt = Receipt {
                file: "a.csv".to_owned(),
                stored: Stored { new, replaced },
                span: None,
                notes: vec!["<x> is left out.".to_owned()],
            };
            let page = ReceiptPage { frame: frame(), bucket: &bucket(), receipt: &receipt };
            check_has(
                &page.render().expect("a page"),
                &[summary, "Receipt for a.csv", "/_user/buckets/foo", "&#60;x&#62; is left out."],
            );
        }
    }
}
