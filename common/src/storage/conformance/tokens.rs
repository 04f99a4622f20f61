//! What a storage engine does with the tokens of buckets.

use super::{TestBucket, addressed, at, bucket_named, config, name, save};
use crate::bucket::{BucketTokens, RetiringToken, TokenChange};
use crate::storage::{BucketSave, StorageEngine};
use crate::timestamp::Timestamp;
use crate::token::TokenHash;

pub(super) async fn suite(engine: &dyn StorageEngine) {
    saving_a_bucket_changes_its_tokens(engine).await;
    changing_tokens_changes_nothing_else(engine).await;
    no_rotation_of_many_at_once_is_lost(engine).await;
}

fn hash(text: &str) -> TokenHash {
    TokenHash::new(&text.to_owned().into())
}

fn now() -> Timestamp {
    at("2014-01-01")
}

fn until() -> Timestamp {
    at("2014-01-02T03:04:05.678")
}

/// Each kind of change, some on top of each other.
fn changes() -> [TokenChange; 10] {
    let rotate = |text| TokenChange::Rotate { hash: hash(text), now: now(), until: until() };
    let retiring = RetiringToken { hash: hash("retiring"), until: at("9999-12-31") };
    [
        TokenChange::Keep,
        TokenChange::Set(hash("first")),
        TokenChange::Keep,
        rotate("second"),
        rotate("third"),
        TokenChange::Keep,
        TokenChange::EndOverlap,
        rotate("fourth"),
        TokenChange::Remove,
        TokenChange::Replace(BucketTokens { retiring: vec![retiring], ..BucketTokens::only(hash("fifth")) }),
    ]
}

async fn tokens_of(engine: &dyn StorageEngine, bucket: &str) -> BucketTokens {
    bucket_named(engine, bucket).await.expect("the bucket").tokens
}

async fn saving_a_bucket_changes_its_tokens(engine: &dyn StorageEngine) {
    let mut expected = BucketTokens::default();
    for change in changes() {
        expected.change(&change);
        let save = BucketSave::new(config("token.saved"), change.clone());
        engine.save_buckets(vec![save]).await.expect("saved");
        assert_eq!(tokens_of(engine, "token.saved").await, expected, "{change:?}");
    }
    let new = BucketSave::new(config("token.new"), TokenChange::Set(hash("first")));
    engine.save_buckets(vec![new]).await.expect("saved");
    assert!(tokens_of(engine, "token.new").await.allows("first", now()));
}

async fn changing_tokens_changes_nothing_else(engine: &dyn StorageEngine) {
    let change = TokenChange::Set(hash("none"));
    assert!(!engine.change_tokens(&name("token.none"), change).await.expect("no bucket"));
    let config = addressed("token.changed", "token", "changed");
    save(engine, super::config("token.other")).await;
    let bucket = TestBucket::configured(engine, config.clone()).await;
    bucket.store(r#"{"_id": "aa"}"#).await;
    let mut expected = BucketTokens::default();
    for change in changes() {
        expected.change(&change);
        assert!(engine.change_tokens(&config.name, change.clone()).await.expect("changed"));
        assert_eq!(tokens_of(engine, "token.changed").await, expected, "{change:?}");
    }
    assert_eq!(bucket_named(engine, "token.changed").await.expect("the bucket").config, config);
    assert_eq!(bucket.ids("").await, "aa");
    assert_eq!(tokens_of(engine, "token.other").await, BucketTokens::default());
}

async fn no_rotation_of_many_at_once_is_lost(engine: &dyn StorageEngine) {
    save(engine, config("token.many")).await;
    let bucket = name("token.many");
    let texts: Vec<String> = (0..8).map(|number| format!("many-{number}")).collect();
    let rotate = |text: &String| {
        let change = TokenChange::Rotate { hash: hash(text), now: now(), until: until() };
        engine.change_tokens(&bucket, change)
    };
    for done in rocket::futures::future::join_all(texts.iter().map(rotate)).await {
        assert!(done.expect("rotated"));
    }
    let tokens = tokens_of(engine, "token.many").await;
    assert!(texts.iter().all(|text| tokens.allows(text, now())), "{tokens:?}");
    assert_eq!(tokens.retiring.len(), texts.len() - 1);
}
