//! What a storage engine does with the ends of sessions.

use super::at;
use crate::storage::{SessionsEnd, StorageEngine};
use crate::timestamp::Timestamp;

pub(super) async fn suite(engine: &dyn StorageEngine) {
    a_session_and_all_of_a_person_end(engine).await;
    no_end_is_taken_back(engine).await;
    what_is_over_is_forgotten(engine).await;
    of_many_ends_at_once_the_latest_counts(engine).await;
}

fn now() -> Timestamp {
    at("2014-01-01T12:00:00.123")
}

fn until() -> Timestamp {
    at("2014-01-02T12:00:00")
}

async fn end(engine: &dyn StorageEngine, of: &str, begun_by: Timestamp, until: Timestamp, now: Timestamp) {
    let end = SessionsEnd { of: of.to_owned(), begun_by, until };
    engine.end_sessions(end, now).await.expect("ended");
}

async fn ended(engine: &dyn StorageEngine, session: &str, person: &str) -> Option<Timestamp> {
    engine.sessions_ended(session, person).await.expect("an answer")
}

async fn a_session_and_all_of_a_person_end(engine: &dyn StorageEngine) {
    assert_eq!(ended(engine, "s1", "ann@one").await, None);
    end(engine, "s1", Timestamp::MAX, until(), now()).await;
    assert_eq!(ended(engine, "s1", "ann@one").await, Some(Timestamp::MAX));
    assert_eq!(ended(engine, "s2", "ann@one").await, None, "another session of hers");
    end(engine, "ann@one", now(), until(), now()).await;
    assert_eq!(ended(engine, "s2", "ann@one").await, Some(now()), "to the millisecond");
    assert_eq!(ended(engine, "s1", "ann@one").await, Some(Timestamp::MAX), "the latest of both");
    for (session, person) in
        [("s3", "ben@one"), ("s", "ann@on"), ("S2", "Ann@one"), ("s2' OR '1", "$ann@one")]
    {
        assert_eq!(ended(engine, session, person).await, None, "{session} {person}");
    }
}

async fn no_end_is_taken_back(engine: &dyn StorageEngine) {
    end(engine, "ann@two", now(), until(), now()).await;
    end(engine, "ann@two", at("2013-12-31"), at("2014-01-01T13:00"), now()).await;
    assert_eq!(ended(engine, "s-two", "ann@two").await, Some(now()), "an earlier one");
    end(engine, "ben@two", now(), until(), at("2014-01-01T14:00")).await;
    assert_eq!(ended(engine, "s-two", "ann@two").await, Some(now()), "it is kept until the later");
    end(engine, "ann@two", at("2014-01-01T15:00"), until(), now()).await;
    assert_eq!(ended(engine, "s-two", "ann@two").await, Some(at("2014-01-01T15:00")), "a later one");
}

async fn what_is_over_is_forgotten(engine: &dyn StorageEngine) {
    end(engine, "ann@three", now(), at("2014-01-01T13:00"), now()).await;
    end(engine, "ben@three", now(), until(), at("2014-01-01T12:59:59.999")).await;
    assert_eq!(ended(engine, "s-three", "ann@three").await, Some(now()));
    end(engine, "ben@three", now(), until(), at("2014-01-01T13:00")).await;
    assert_eq!(ended(engine, "s-three", "ann@three").await, None);
    assert_eq!(ended(engine, "s-three", "ben@three").await, Some(now()));
}

async fn of_many_ends_at_once_the_latest_counts(engine: &dyn StorageEngine) {
    let times: Vec<Timestamp> = (0..8).map(|second| at(&format!("2014-01-01T12:00:0{second}"))).collect();
    let ends = times.iter().map(|time| end(engine, "ann@four", *time, until(), now()));
    rocket::futures::future::join_all(ends).await;
    assert_eq!(ended(engine, "s-four", "ann@four").await, times.last().copied());
}
