//! How a session goes on and ends.

use std::sync::Arc;

use backdrop_common::settings::ProviderKind;
use backdrop_common::storage::StorageErrorKind;
use backdrop_common::storage::failing::FailingEngine;
use backdrop_signon::{Endpoint, Mode};
use rocket::async_test;
use rocket::futures::future::join_all;
use rocket::http::{ContentType, Cookie, Status};

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
    assert_eq!(out.clear_site_data.as_deref(), Some("\"cache\", \"storage\""));
    assert_eq!(out.cache_control.as_deref(), Some("no-store"));
}

/// Cookies of before that are sent again, to this instance and another: a page, and a form with its token.
async fn sent_again(site: &Site, cookies: &[Cookie<'static>], form: &str) -> Vec<(Status, Status)> {
    let mut answers = Vec::new();
    for instance in [&site.another().await, &site.another().await] {
        let page = instance.get("/_user/person").cookies(cookies.to_vec()).dispatch().await.status();
        let request = instance.post("/_user/change").header(ContentType::Form).body(form);
        answers.push((page, request.cookies(cookies.to_vec()).dispatch().await.status()));
    }
    answers
}

async fn cookies_and_form(site: &Site) -> (Vec<Cookie<'static>>, String) {
    let form = format!("form_token={}", site.form_token().await);
    (site.client.cookies().iter().cloned().collect(), form)
}

const HOLDS: (Status, Status) = (Status::Ok, Status::Ok);
const OVER: (Status, Status) = (Status::SeeOther, Status::Unauthorized);

#[async_test]
async fn cookies_of_before_a_sign_out_are_worth_nothing() {
    for kind in KINDS {
        let site = Site::new(kind).await;
        site.signed_in("olive").await;
        let (cookies, form) = cookies_and_form(&site).await;
        assert_eq!(sent_again(&site, &cookies, &form).await, [HOLDS, HOLDS]);
        site.get("/_user/sign_out").await;
        assert_eq!(sent_again(&site, &cookies, &form).await, [OVER, OVER], "{kind:?}");
        // Until it would be over anyway, also after others were ended.
        site.pass(14_000);
        site.signed_in("olive").await;
        site.get("/_user/sign_out").await;
        assert_eq!(sent_again(&site, &cookies, &form).await, [OVER, OVER], "{kind:?}");
    }
}

#[async_test]
async fn signing_in_again_ends_the_session_before() {
    let site = Site::new(ProviderKind::Oidc).await;
    site.signed_in("olive").await;
    let (cookies, form) = cookies_and_form(&site).await;
    site.signed_in("ann").await;
    assert_eq!(sent_again(&site, &cookies, &form).await, [OVER, OVER]);
}

#[async_test]
async fn a_person_ends_all_of_their_sessions() {
    for kind in KINDS {
        let site = Site::new(kind).await;
        site.signed_in("ann").await;
        let (anns, anns_form) = cookies_and_form(&site).await;
        let elsewhere = Site::beside(&site).await;
        elsewhere.signed_in("olive").await;
        let (first, form) = cookies_and_form(&elsewhere).await;
        let at_home = Site::beside(&site).await;
        at_home.signed_in("olive").await;
        let page = at_home.get("/_user/sessions").await;
        assert!(page.body.contains("End all my sessions"), "{}", page.body);
        assert_eq!(page.cache_control.as_deref(), Some("no-store"));
        let refused = at_home.post("/_user/sessions/end", "form_token=x").await;
        assert_eq!(refused.status, Status::Forbidden);
        assert_eq!(sent_again(&site, &first, &form).await, [HOLDS, HOLDS]);
        let token = at_home.form_token().await;
        let done = at_home.post("/_user/sessions/end", &format!("form_token={token}")).await;
        assert_eq!(done.location.as_deref(), Some("/_user/signed_out"), "{}", done.body);
        assert!(done.clear_site_data.is_some());
        assert_eq!(sent_again(&site, &first, &form).await, [OVER, OVER], "{kind:?}");
        assert_eq!(at_home.get("/_user/person").await.status, Status::SeeOther);
        assert_eq!(sent_again(&site, &anns, &anns_form).await, [HOLDS, HOLDS], "another person's");
        // In the same millisecond, and by a clock that is behind.
        at_home.signed_in("olive").await;
        assert_eq!(at_home.get("/_user/person").await.status, Status::Ok);
        at_home.pass(-30);
        at_home.signed_in("olive").await;
        assert_eq!(at_home.get("/_user/person").await.status, Status::Ok);
        assert_eq!(sent_again(&site, &first, &form).await, [OVER, OVER], "{kind:?}");
        let olive = |action| (OLIVE.to_owned(), action);
        assert!(site.audit().await.contains(&olive("end sessions")));
    }
}

#[async_test]
async fn an_administrator_ends_the_sessions_of_anybody() {
    let site = Site::new(ProviderKind::Oidc).await;
    site.signed_in("olive").await;
    let (cookies, form) = cookies_and_form(&site).await;
    site.signed_in("ann").await;
    let again = Site::beside(&site).await;
    again.signed_in("olive").await;
    let (newer, newer_form) = cookies_and_form(&again).await;
    let token = site.form_token().await;
    for email in ["", "olive", "olive@@example.org"] {
        let form = format!("form_token={token}&email={email}");
        let refused = site.post("/_user/users/end-sessions", &form).await;
        assert_eq!(refused.status, Status::BadRequest, "{email}");
    }
    assert_eq!(sent_again(&site, &newer, &newer_form).await, [HOLDS, HOLDS]);
    let form_of_ann = format!("form_token={token}&email=+Olive@example.org");
    let done = site.post("/_user/users/end-sessions", &form_of_ann).await;
    assert_eq!(done.location.as_deref(), Some("/_user/users"), "{}", done.body);
    let said = site.get("/_user/users").await;
    assert!(said.body.contains("All sessions of olive@example.org are ended."), "{}", said.body);
    for (cookies, form) in [(cookies, form), (newer, newer_form)] {
        assert_eq!(sent_again(&site, &cookies, &form).await, [OVER, OVER]);
    }
    assert_eq!(site.audit().await[0], ("ann@example.org".to_owned(), "end sessions"));
}

#[async_test]
async fn who_cannot_be_looked_up_is_not_signed_in() {
    let site = Site::new(ProviderKind::Oidc).await;
    site.signed_in("olive").await;
    let cookies: Vec<_> = site.client.cookies().iter().cloned().collect();
    let away = site.with_store(Arc::new(FailingEngine {
        kind: StorageErrorKind::Unavailable,
        bucket: None,
        endless: None,
        pages: 0,
    }));
    let away = away.await;
    let shown = read(away.get("/_user/person").cookies(cookies.clone()).dispatch().await).await;
    assert_eq!((shown.status, shown.retry_after.as_deref()), (Status::ServiceUnavailable, Some("5")));
    let sent =
        away.post("/_user/change").header(ContentType::Form).body("form_token=x").cookies(cookies.clone());
    assert_eq!(sent.dispatch().await.status(), Status::ServiceUnavailable);
    // Nothing is ended either, so nothing says so.
    let out = read(away.get("/_user/sign_out").cookies(cookies).dispatch().await).await;
    assert_eq!(out.status, Status::ServiceUnavailable);
    assert!(out.cookies.is_empty(), "{:?}", out.cookies);
    assert_eq!(away.get("/_user").dispatch().await.status(), Status::Ok, "nobody is signed in there");
}
