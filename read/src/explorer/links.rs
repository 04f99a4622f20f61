//! How a program asks for what a page shows.

/// The addresses of an answer as data.
pub(crate) struct Links {
    pub(crate) json: String,
    pub(crate) csv: String,
    pub(crate) curl: String,
}

impl Links {
    /// The links of a query at a path of a site as `http://localhost:3038`.
    pub(crate) fn new(site: &str, path: &str, query: &str) -> Self {
        let with =
            |format| format!("{path}?{query}{}format={format}", if query.is_empty() { "" } else { "&" });
        // A quote would end that of the shell, and what comes after it would be run.
        let quoted = format!("{site}{path}?{query}").replace('\'', "%27");
        Self { json: with("json"), csv: with("csv"), curl: format!("curl '{quoted}'") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_query_for_programs() {
        let links = Links::new("http://localhost:3038", "/data/a/b", "group_by=x&limit=3");
        assert_eq!(links.json, "/data/a/b?group_by=x&limit=3&format=json");
        assert_eq!(links.csv, "/data/a/b?group_by=x&limit=3&format=csv");
        assert_eq!(links.curl, "curl 'http://localhost:3038/data/a/b?group_by=x&limit=3'");
    }

    #[test]
    fn nothing_but_curl_is_run() {
        let links = Links::new("http://x", "/a'b", "filter_by=a:';reboot;'");
        assert_eq!(links.curl, "curl 'http://x/a%27b?filter_by=a:%27;reboot;%27'");
    }
}
