//! Upload filters: which sheets of a workbook are read, by the names in a bucket's configuration.
//!
//! A filter sees the sheets before any cell is read. A new one is a line in `FILTERS`.

use super::fault::Rule;

/// A sheet of a workbook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sheet {
    /// Its name.
    pub name: String,
    /// Whether people do not see it unless they look for it.
    pub is_hidden: bool,
}

/// What a filter does: of some sheets, in their order, it keeps those that matter.
type Choose = fn(Vec<Sheet>) -> Vec<Sheet>;

/// A filter.
#[derive(Debug)]
pub struct Filter {
    /// Its name in a configuration.
    name: &'static str,
    /// Its name in configurations of the original Backdrop.
    original: Option<&'static str>,
    choose: Choose,
}

/// Every filter that there is.
const FILTERS: &[Filter] = &[Filter {
    name: "first_sheet",
    original: Some("backdrop.core.upload.filters.first_sheet_filter"),
    choose: first_sheet,
}];

/// The names of all filters.
pub fn names() -> Vec<&'static str> {
    FILTERS.iter().map(|filter| filter.name).collect()
}

/// The filters of a bucket.
///
/// # Errors
///
/// [`Rule::UnknownFilter`] with the first name that none has.
pub fn parse(names: &[String]) -> Result<Vec<&'static Filter>, Rule> {
    let find = |name: &String| {
        let has_name = |filter: &&Filter| filter.name == name || filter.original == Some(name);
        FILTERS.iter().find(has_name).ok_or_else(|| Rule::UnknownFilter(name.clone()))
    };
    names.iter().map(find).collect()
}

/// The sheet to read: the first of those that the filters leave, one after the other. Without
/// filters that is the first sheet.
pub(crate) fn choose(filters: &[&Filter], sheets: Vec<Sheet>) -> Option<Sheet> {
    let left = filters.iter().fold(sheets, |sheets, filter| (filter.choose)(sheets));
    first_sheet(left).pop()
}

/// The first that people see. Programs keep lists and settings on hidden ones.
// DIFFERENCE: Backdrop took the first, hidden or not.
fn first_sheet(sheets: Vec<Sheet>) -> Vec<Sheet> {
    let first = sheets.iter().position(|sheet| !sheet.is_hidden).unwrap_or(0);
    sheets.into_iter().skip(first).take(1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sheets(names: &[(&str, bool)]) -> Vec<Sheet> {
        names
            .iter()
            .map(|(name, is_hidden)| Sheet { name: (*name).to_owned(), is_hidden: *is_hidden })
            .collect()
    }

    #[track_caller]
    fn check(names: &[(&str, bool)], filters: &[&str], chosen: Option<&str>) {
        let filters: Vec<_> = filters.iter().map(ToString::to_string).collect();
        let filters = parse(&filters).expect("filters");
        assert_eq!(choose(&filters, sheets(names)).map(|sheet| sheet.name).as_deref(), chosen);
    }

    #[test]
    fn the_first_sheet_that_people_see() {
        check(&[("Data", false), ("Notes", false)], &[], Some("Data"));
        check(&[("Lists", true), ("Data", false)], &["first_sheet"], Some("Data"));
        check(&[("Lists", true)], &["backdrop.core.upload.filters.first_sheet_filter"], Some("Lists"));
        check(&[], &["first_sheet", "first_sheet"], None);
    }

    #[test]
    fn names_that_no_filter_has() {
        let unknown = parse(&["first_sheet".to_owned(), "last_sheet".to_owned()]);
        assert_eq!(unknown.err(), Some(Rule::UnknownFilter("last_sheet".to_owned())));
        assert_eq!(names(), ["first_sheet"]);
    }
}
