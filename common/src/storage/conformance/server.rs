//! The MongoDB server that tests run on. There is one, or the test fails; none is left out.

use uuid::Uuid;

use crate::storage::url::MongoUrl;

/// Names a server as `mongodb://HOST:PORT`, options after a `?`, and no database.
const SERVER: &str = "BACKDROP_TEST_MONGODB_URL";

/// The URL of a database that nobody else uses. Who writes to it drops it.
pub(crate) fn mongo_url(test: &str) -> MongoUrl {
    let server = std::env::var(SERVER)
        .unwrap_or_else(|_| panic!("{SERVER} is not set: run tools/with-mongodb.sh cargo test …"));
    let url = with_database(&server, &database(test));
    url.parse().unwrap_or_else(|error| panic!("{SERVER} is {server}: {error}"))
}

/// A name for a database. MongoDB allows 63 bytes, and servers may have what an earlier run left.
fn database(test: &str) -> String {
    let unique = Uuid::new_v4().simple().to_string();
    format!("{test:.40}-{unique:.16}")
}

fn with_database(server: &str, database: &str) -> String {
    let (hosts, options) = match server.split_once('?') {
        Some((hosts, options)) => (hosts, format!("?{options}")),
        None => (server, String::new()),
    };
    format!("{}/{database}{options}", hosts.trim_end_matches('/'))
}

#[test]
fn a_database_goes_before_the_options() {
    assert_eq!(with_database("mongodb://host:1", "db"), "mongodb://host:1/db");
    assert_eq!(with_database("mongodb://a:b@host:1/?w=1", "db"), "mongodb://a:b@host:1/db?w=1");
    assert_eq!(with_database("mongodb://host:1?w=1", "db"), "mongodb://host:1/db?w=1");
    assert!(database(&"long".repeat(20)).len() < 63);
}
