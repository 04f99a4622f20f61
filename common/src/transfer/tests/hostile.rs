//! Dumps that somebody made to do harm: each is refused, in words that say which file and what, and nothing of it
//! is stored.

use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::process::Command;

use bson::{Bson, Document};
use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;
use crate::limits::{DUMP_ENTRIES, DUMP_ENTRY_BYTES};

/// A dump with a bucket and a record, and a place for more.
fn dump() -> Stores {
    let stores = Stores::new();
    stores.write("buckets.bson", &[doc! {"_id": "foo"}]);
    stores.write("foo.bson", &[doc! {"_id": "aa"}]);
    stores
}

/// Refuses a dump, and looks whether anything of it is stored.
async fn refused(stores: &Stores) -> String {
    let message = stores.refused().await;
    assert!(stores.to.buckets().await.expect("buckets").is_empty(), "{message}");
    assert!(stores.to.users().await.expect("users").is_empty(), "{message}");
    assert!(message.len() < 700, "{message}");
    message
}

fn make_pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().expect("mkfifo").success());
}

#[tokio::test]
async fn what_is_no_plain_file_is_not_passed_over() {
    for file in ["buckets.bson", "foo.bson", "users.bson", "_audit.bson", "other.bson.gz"] {
        let check = async |expected: &str, put: &dyn Fn(&Path)| {
            let stores = dump();
            let _ = fs::remove_file(stores.file(file));
            put(&stores.file(file));
            assert_eq!(refused(&stores).await, format!("cannot read DIR/backdrop/{file}: {expected}"));
        };
        check("it is a named pipe and no plain file", &make_pipe).await;
        check("it is a folder and no plain file", &|path| fs::create_dir(path).expect("a folder")).await;
        check("it is a socket and no plain file", &|path| drop(UnixListener::bind(path).expect("a socket")))
            .await;
    }
}

#[tokio::test]
async fn links_lead_nowhere_else() {
    for target in ["/dev/zero", "/etc/passwd", "../../from.db"] {
        let stores = dump();
        symlink(target, stores.file("bar.bson")).expect("a link");
        let expected = "DIR/backdrop/bar.bson is a link that leads out of the dump";
        assert_eq!(refused(&stores).await, expected, "{target}");
    }
    let stores = dump();
    fs::rename(stores.dump().join("backdrop"), stores.folder.path().join("elsewhere")).expect("a folder");
    symlink("../elsewhere", stores.dump().join("backdrop")).expect("a link");
    assert_eq!(refused(&stores).await, "DIR/backdrop is a link that leads out of the dump");

    let stores = dump();
    fs::rename(stores.file("foo.bson"), stores.dump().join("kept")).expect("a file");
    symlink("../kept", stores.file("foo.bson")).expect("a link");
    assert_eq!(stores.restore().await.expect("restored").records, 1);
}

#[tokio::test]
async fn a_manifest_is_a_small_plain_file() {
    let check = async |expected: &str, put: &dyn Fn(&Path)| {
        let stores = dump();
        put(&stores.dump().join("manifest.json"));
        let message = refused(&stores).await;
        assert!(message.contains("DIR/manifest.json") && message.contains(expected), "{message}");
    };
    check("it is a named pipe", &make_pipe).await;
    check("it is a device", &|path| symlink("/dev/zero", path).expect("a link")).await;
    check("it is a folder", &|path| fs::create_dir(path).expect("a folder")).await;
    check("it is larger than", &|path| {
        fs::File::create(path).and_then(|file| file.set_len(1 << 40)).expect("a file");
    })
    .await;
    let nested = [b"{\"format\":".as_slice(), &vec![b'['; 20_000]].concat();
    check("it is damaged", &|path| fs::write(path, &nested).expect("a file")).await;
}

/// A document that is nested so deep.
fn nested(depth: usize) -> Bson {
    (1..depth).fold(Bson::Document(Document::new()), |inner, _| Bson::Document(doc! {"not": inner}))
}

/// The same as bytes, made without going deep.
fn nested_bytes(depth: usize) -> Vec<u8> {
    let mut bytes = doc! {}.to_vec().expect("bytes");
    for _ in 1..depth {
        let length = i32::try_from(bytes.len() + 4 + 5 + 1).expect("a length");
        bytes = [&length.to_le_bytes()[..], b"\x03not\0", &bytes, b"\0"].concat();
    }
    bytes
}

#[tokio::test]
async fn what_is_nested_too_deep() {
    for file in ["buckets.bson", "users.bson", "_audit.bson"] {
        let stores = dump();
        fs::write(stores.file(file), nested_bytes(20_000)).expect("a file");
        let expected = format!("DIR/backdrop/{file}, byte 0: it is nested more than 65 deep");
        assert_eq!(refused(&stores).await, expected);
    }
    let stores = dump();
    fs::write(stores.file("foo.bson"), nested_bytes(20_000)).expect("a file");
    assert!(refused(&stores).await.starts_with("DIR/backdrop/foo.bson, byte 0: "));
    for schema in [nested(65), text_nested(65).into(), text_nested(127).into(), text_nested(20_000).into()] {
        let stores = dump();
        stores.write("buckets.bson", &[doc! {"_id": "foo", "schema": schema}]);
        let message = refused(&stores).await;
        assert!(message.starts_with("DIR/backdrop/buckets.bson") && message.contains("bucket"), "{message}");
    }
    let stores = dump();
    stores.write("buckets.bson", &[doc! {"_id": "foo", "schema": nested(64)}]);
    assert!(stores.restore().await.is_ok());
    assert!(stores.to.buckets().await.expect("buckets")[0].config.schema.is_some());
}

fn text_nested(depth: usize) -> String {
    format!("{}{{}}{}", "{\"not\":".repeat(depth - 1), "}".repeat(depth - 1))
}

#[tokio::test]
async fn keys_that_no_client_could_send() {
    for key in ["$where", "a.b", "", "x", "a-b", "é", "_foo", "_count", "__proto__", "1a"] {
        let stores = dump();
        stores.write("foo.bson", &[doc! {"_id": "aa"}, doc! {"_id": "bb", key: 1}]);
        let expected = format!("DIR/backdrop/foo.bson, byte 17: \"{key}\" is no key that a record may have");
        assert_eq!(refused(&stores).await, expected);
    }
}

#[tokio::test]
async fn lengths_that_lie() {
    for length in [0, 4, -1, i32::MIN, i32::MAX, 16_793_601] {
        for file in ["buckets.bson", "foo.bson", "users.bson", "_audit.bson"] {
            let stores = dump();
            fs::write(stores.file(file), [&length.to_le_bytes()[..], &[0; 60]].concat()).expect("a file");
            let expected = format!("DIR/backdrop/{file}, byte 0: damaged: a document of {length} bytes");
            assert_eq!(refused(&stores).await, expected);
        }
    }
}

/// A compressed file that unpacks to as many documents as are wanted.
fn bomb(stores: &Stores, file: &str, documents: impl Iterator<Item = Document>) {
    let _ = fs::remove_file(stores.file(file.trim_end_matches(".gz")));
    let mut packed =
        GzEncoder::new(fs::File::create(stores.file(file)).expect("a file"), Compression::fast());
    for document in documents {
        packed.write_all(&document.to_vec().expect("bytes")).expect("written");
    }
    packed.finish().expect("a file");
}

#[tokio::test]
async fn small_files_that_unpack_to_a_lot() {
    let filler = "x".repeat(1_000_000);
    let large = |number: usize| doc! {"_id": format!("foo{number}"), "filler": &filler};
    let stores = dump();
    bomb(&stores, "buckets.bson.gz", (0..80).map(large));
    let message = refused(&stores).await;
    assert!(message.contains("buckets.bson.gz, byte 68") && message.contains("more than"), "{message}");

    let stores = dump();
    bomb(&stores, "users.bson.gz", (0..80).map(|number| doc! {"_id": format!("a@{number}"), "x": &filler}));
    assert!(refused(&stores).await.contains("users.bson.gz, byte 68"));

    for file in ["buckets.bson", "users.bson", "_audit.bson"] {
        let stores = dump();
        stores.write(file, &[doc! {"_id": "foo", "x": "x".repeat(DUMP_ENTRY_BYTES)}]);
        let message = refused(&stores).await;
        assert!(message.contains(&format!("{file}, byte 0: an entry of 10486")), "{message}");
    }
}

#[tokio::test]
async fn more_buckets_than_there_may_be() {
    let stores = dump();
    bomb(&stores, "buckets.bson.gz", (0..=DUMP_ENTRIES).map(|number| doc! {"_id": format!("b{number:06}")}));
    assert!(refused(&stores).await.contains("more than 100000 entries"));
}

#[tokio::test]
async fn a_bucket_is_there_once() {
    let stores = dump();
    stores.write("buckets.bson", &[doc! {"_id": "foo"}, doc! {"_id": 5, "name": "foo"}]);
    assert_eq!(refused(&stores).await, "DIR/backdrop/buckets.bson, byte 18: bucket \"foo\" is there already");
}

#[tokio::test]
async fn a_bucket_that_may_not_be_saved_can_be_left_out() {
    let stores = dump();
    let schema = doc! {"properties": {"aa": {"pattern": "^(?!x)"}}};
    stores.write("buckets.bson", &[doc! {"_id": "foo"}, doc! {"_id": "bar", "schema": schema}]);
    assert!(refused(&stores).await.contains("bucket \"bar\": schema is not a JSON Schema"));
    assert_eq!(stores.restore_with(false, excluding(&["bar"])).await.expect("restored").buckets, 1);
}
