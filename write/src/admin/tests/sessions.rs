//! How a session goes on and ends.

use backdrop_common::settings::ProviderKind;
use backdrop_signon::{Endpoint, Mode};
use rocket::async_test;
use rocket::futures::future::join_all;
use rocket::http::Status;

use super::KINDS;
use super::site::{Site, read};

const OLIVE: &str = "olive@example.org";

#[async_test]
async fn a_session_ends_without_use_and_after_a_day() {
    for kind in KINDS {
        let site = Site::new(kind).await;
        site.signed_in("olive").await;
        for _ in 0..6 {
            site.pass(14_399);
            assert_eq!(site.get("/_user/person").await.status, Status::Ok);
        }
        site.pass(10);
        assert_eq!(site.get("/_user/person").await.status, Status::SeeOther, "after a day");
        site.signed_in("olive").await;
        site.pass(14_400);
        assert_eq!(site.get("/_user/person").await.status, Status::SeeOther, "without use");
    }
}

#[async_test]
async fn a_permission_that_is_taken_away_ends_the_session() {
    for kind in KINDS {
        let site = Site::new(kind).await;
        site.signed_in("olive").await;
        site.provider.store.set_permissions(OLIVE, Vec::new());
        site.pass(299);
        assert_eq!(site.get("/_user/person").await.status, Status::Ok, "not asked yet");
        site.pass(1);
        assert_eq!(site.get("/_user/person").await.status, Status::Forbidden);
        assert_eq!(site.get("/_user/person").await.status, Status::SeeOther);
    }
}

#[async_test]
async fn an_administrator_may_become_none() {
    for kind in KINDS {
        let site = Site::new(kind).await;
        site.signed_in("ann").await;
        let token = site.get("/_user/person").await.body;
        site.provider.store.set_permissions("ann@example.org", vec!["signin".to_owned()]);
        site.pass(300);
        assert_eq!(site.get("/_user/administrator").await.status, Status::Forbidden);
        let now = site.get("/_user/person").await.body;
        assert_eq!(now, token.replace("true", "false"), "the session is the same");
    }
}

#[async_test]
async fn tokens_that_are_revoked_end_the_session() {
    for kind in KINDS {
        let site = Site::new(kind).await;
        site.signed_in("olive").await;
        site.provider.store.revoke(OLIVE);
        site.pass(300);
        let refused = site.post("/_user/change", "form_token=x").await;
        assert_eq!(refused.status, Status::Unauthorized);
        assert!(refused.body.contains("Nothing of what you sent was stored"), "{}", refused.body);
        assert_eq!(site.get("/_user/person").await.status, Status::SeeOther);
    }
}

#[async_test]
async fn an_old_access_token_is_replaced() {
    for kind in KINDS {
        let site = Site::new(kind).await;
        site.signed_in("olive").await;
        for _ in 0..3 {
            site.provider.store.expire(OLIVE);
            site.pass(301);
            assert_eq!(site.get("/_user/person").await.status, Status::Ok, "{kind:?}");
        }
    }
}

#[async_test]
async fn requests_at_once_share_a_check() {
    for kind in KINDS {
        let site = Site::new(kind).await;
        site.signed_in("olive").await;
        site.provider.store.expire(OLIVE);
        site.pass(300);
        let before: Vec<_> = site.client.cookies().iter().cloned().collect();
        let requests = (0..8).map(async |_| {
            let request = site.client.get("/_user/person").cookies(before.clone());
            request.dispatch().await.status()
        });
        assert_eq!(join_all(requests).await, [Status::Ok; 8], "{kind:?}");
        // One that comes later and still has the old refresh token, which is used up.
        site.pass(100);
        let late = site.client.get("/_user/person").cookies(before.clone()).dispatch().await;
        assert_eq!(late.status(), Status::Ok, "{kind:?}");
    }
}

#[async_test]
async fn a_provider_that_is_away_is_waited_for() {
    for kind in KINDS {
        for mode in [Mode::Error, Mode::Slow] {
            let site = Site::impatient(kind).await;
            site.signed_in("olive").await;
            site.provider.store.set_mode(Endpoint::Token, mode);
            site.provider.store.set_mode(Endpoint::Person, mode);
            site.pass(300);
            assert_eq!(site.get("/_user/person").await.status, Status::Ok, "{kind:?} {mode:?}");
            site.pass(299);
            assert_eq!(site.get("/_user/person").await.status, Status::Ok, "{kind:?} {mode:?}");
            site.pass(1);
            let answer = site.get("/_user/person").await;
            assert_eq!(answer.status, Status::ServiceUnavailable, "{kind:?} {mode:?}");
            assert!(answer.body.contains("cannot be used just now"), "{}", answer.body);
            site.provider.store.set_mode(Endpoint::Token, Mode::Ok);
            site.provider.store.set_mode(Endpoint::Person, Mode::Ok);
            site.pass(15);
            assert_eq!(site.get("/_user/person").await.status, Status::Ok, "{kind:?} {mode:?}");
        }
    }
}

#[async_test]
async fn a_form_is_of_its_session() {
    let site = Site::new(ProviderKind::Signon).await;
    assert_eq!(site.post("/_user/change", "form_token=x").await.status, Status::Unauthorized);
    site.signed_in("olive").await;
    let token = site.form_token().await;
    let changed = site.post("/_user/change", &format!("form_token={token}")).await;
    assert_eq!((changed.status, changed.body.as_str()), (Status::Ok, "changed"));
    for foreign in ["", "x", &token[1..], &format!("{token}x")] {
        let refused = site.post("/_user/change", &format!("form_token={foreign}")).await;
        assert_eq!(refused.status, Status::Forbidden, "{foreign}");
    }
}

#[async_test]
async fn a_form_can_be_sent_in_the_next_session_of_the_same_person() {
    for kind in KINDS {
        let site = Site::new(kind).await;
        site.signed_in("olive").await;
        let form = format!("form_token={}", site.form_token().await);
        // However it ends: after a day of use, at the latest.
        for _ in 0..7 {
            site.pass(14_000);
            site.get("/_user/person").await;
        }
        let ended = site.post("/_user/change", &form).await;
        assert_eq!(ended.status, Status::Unauthorized);
        assert!(ended.body.contains("send it again"), "{}", ended.body);
        site.signed_in("olive").await;
        assert_eq!(site.post("/_user/change", &form).await.body, "changed", "{kind:?}");

        site.signed_in("ann").await;
        assert_eq!(site.post("/_user/change", &form).await.status, Status::Forbidden, "another person's");
        site.signed_in("olive").await;
        let form = format!("form_token={}", site.form_token().await);
        site.get("/_user/sign_out").await;
        site.signed_in("olive").await;
        assert_eq!(site.post("/_user/change", &form).await.status, Status::Forbidden, "after a sign-out");
    }
}

#[async_test]
async fn the_token_of_a_form_outlives_the_session() {
    let site = Site::new(ProviderKind::Signon).await;
    let answer = site.sign_in("olive").await;
    let kept = answer.cookies.iter().find(|cookie| cookie.starts_with("backdrop_forms="));
    let kept = kept.expect("a cookie");
    assert!(kept.contains("Max-Age=172800") && kept.contains("HttpOnly; SameSite=Lax"), "{kept}");
}

/// Without a refresh token all that can be asked at a check is userinfo, which need not say all that the ID
/// token did.
#[async_test]
async fn who_cannot_be_checked_signs_in_again() {
    for mode in [Mode::NoGroups, Mode::NoEmail] {
        let site = Site::new(ProviderKind::Oidc).await;
        site.provider.store.set_mode(Endpoint::Token, Mode::NoRefreshToken);
        site.provider.store.set_mode(Endpoint::Person, mode);
        for _ in 0..2 {
            site.signed_in("olive").await;
            site.pass(299);
            assert_eq!(site.get("/_user/person").await.status, Status::Ok, "{mode:?}");
            site.pass(1);
            let ended = site.get("/_user/person").await;
            assert_eq!(ended.status, Status::SeeOther, "{mode:?}: {}", ended.body);
            assert_eq!(ended.location.as_deref(), Some("/_user/sign_in?back_to=%2F_user%2Fperson"));
        }
        // Whoever may do nothing any more learns so there.
        site.provider.store.set_permissions(OLIVE, Vec::new());
        assert_eq!(site.sign_in("olive").await.location.as_deref(), Some("/_user/not_authorized"));
    }
}

#[async_test]
async fn without_a_refresh_token_userinfo_is_asked() {
    let site = Site::new(ProviderKind::Oidc).await;
    site.provider.store.set_mode(Endpoint::Token, Mode::NoRefreshToken);
    site.signed_in("olive").await;
    site.pass(300);
    assert_eq!(site.get("/_user/person").await.status, Status::Ok);
    site.provider.store.set_permissions(OLIVE, Vec::new());
    site.pass(300);
    assert_eq!(site.get("/_user/person").await.status, Status::Forbidden);
}

#[async_test]
async fn with_a_refresh_token_the_id_token_says_it_again() {
    for mode in [Mode::NoGroups, Mode::NoEmail] {
        let site = Site::new(ProviderKind::Oidc).await;
        site.provider.store.set_mode(Endpoint::Person, mode);
        site.signed_in("olive").await;
        site.pass(300);
        assert_eq!(site.get("/_user/person").await.status, Status::Ok, "{mode:?}");
        site.provider.store.set_permissions(OLIVE, Vec::new());
        site.pass(300);
        assert_eq!(site.get("/_user/person").await.status, Status::Forbidden, "{mode:?}");
    }
}

#[async_test]
async fn a_sign_out_ends_what_the_browser_has() {
    let site = Site::new(ProviderKind::Oidc).await;
    site.signed_in("olive").await;
    let out = read(site.client.get("/_user/sign_out").dispatch().await).await;
    for name in ["backdrop_session=;", "backdrop_tokens=;", "backdrop_forms=;"] {
        assert!(out.cookies.iter().any(|cookie| cookie.starts_with(name)), "{:?}", out.cookies);
    }
}
