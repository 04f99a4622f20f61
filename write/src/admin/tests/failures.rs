//! What people see when the provider fails. It is never a 500, and nothing waits longer than it may.

use std::sync::Arc;

use backdrop_common::settings::ProviderKind;
use backdrop_signon::{Endpoint, Mode};
use rocket::async_test;
use rocket::http::Status;

use super::KINDS;
use super::site::{Answer, Site, read};

#[track_caller]
fn check(answer: &Answer, status: Status, what: &str) {
    assert_eq!(answer.status, status, "{what}: {}", answer.body);
    assert!(answer.body.contains("Request id"), "{what}: {}", answer.body);
}

/// The ways in which an endpoint may fail, and what a person then sees.
const FAILURES: [(Mode, Status); 6] = [
    (Mode::Error, Status::ServiceUnavailable),
    (Mode::Slow, Status::ServiceUnavailable),
    (Mode::Page, Status::BadGateway),
    (Mode::Huge, Status::BadGateway),
    (Mode::Redirect, Status::BadGateway),
    (Mode::Refuse, Status::BadGateway),
];

#[async_test]
async fn a_provider_that_fails_is_said() {
    for kind in KINDS {
        let site = Site::impatient(kind).await;
        for endpoint in [Endpoint::Token, Endpoint::Person] {
            for (mode, status) in FAILURES {
                site.provider.store.set_mode(endpoint, mode);
                check(&site.sign_in("olive").await, status, &format!("{kind:?} {endpoint:?} {mode:?}"));
                assert_eq!(site.get("/_user/person").await.status, Status::SeeOther);
            }
            site.provider.store.set_mode(endpoint, Mode::Ok);
        }
        site.signed_in("olive").await;
    }
}

#[async_test]
async fn discovery_that_fails_is_said_and_tried_again() {
    let site = Site::impatient(ProviderKind::Oidc).await;
    for endpoint in [Endpoint::Discovery, Endpoint::Keys] {
        for (mode, status) in FAILURES {
            site.provider.store.set_mode(endpoint, mode);
            check(&site.get("/_user/sign_in").await, status, &format!("{endpoint:?} {mode:?}"));
        }
        site.provider.store.set_mode(endpoint, Mode::Ok);
    }
    site.signed_in("olive").await;
    // From now on it is known.
    site.provider.store.set_mode(Endpoint::Discovery, Mode::Error);
    site.signed_in("olive").await;
}

#[async_test]
async fn an_id_token_is_checked() {
    let site = Site::new(ProviderKind::Oidc).await;
    for mode in [Mode::WrongNonce, Mode::WrongAudience, Mode::Expired, Mode::WrongSignature] {
        site.provider.store.set_mode(Endpoint::Token, mode);
        check(&site.sign_in("olive").await, Status::BadGateway, &format!("{mode:?}"));
        assert_eq!(site.get("/_user/person").await.status, Status::SeeOther);
    }
}

#[async_test]
async fn a_provider_that_is_gone_is_said() {
    for kind in KINDS {
        let site = Site::new(kind).await;
        let back = site.agree(Some("olive")).await;
        let Site { client, provider, .. } = site;
        Arc::into_inner(provider).expect("one provider").stop().await;
        let answer = read(client.get(back).dispatch().await).await;
        check(&answer, Status::ServiceUnavailable, &format!("{kind:?}"));
    }
}
