//! Who may see which page and send which form: every route of the pages, as everybody who may not.

use std::collections::BTreeSet;

use backdrop_common::audit::AuditFilter;
use backdrop_common::bucket::{BucketConfig, BucketName, TokenChange};
use backdrop_common::settings::ProviderKind;
use backdrop_common::storage::BucketSave;
use backdrop_common::token::{TokenHash, make_token};
use backdrop_common::user::GrantChange;
use rocket::async_test;
use rocket::http::{Method, Status};

use super::site::{Answer, Site};
use crate::admin::routes;
use crate::admin::upload::upload_routes;

/// Pages that everybody may see.
const FOR_EVERYBODY: [&str; 6] = [
    "/_user",
    "/_user/sign_in",
    "/_user/authorized",
    "/_user/sign_out",
    "/_user/signed_out",
    "/_user/not_authorized",
];
/// Pages, and what a person without the permission `admin` sees who is granted nothing.
const PAGES: [(&str, Status); 8] = [
    ("/_user/sessions", Status::Ok),
    ("/_user/buckets/<name>", Status::NotFound),
    ("/_user/new-bucket", Status::Forbidden),
    ("/_user/buckets/<name>/edit", Status::Forbidden),
    ("/_user/buckets/<name>/delete", Status::Forbidden),
    ("/_user/users", Status::Forbidden),
    ("/_user/audit", Status::Forbidden),
    ("/<bucket>/upload", Status::NotFound),
];
/// A form that everybody may send who is signed in; see `sessions.rs`.
const FOR_ONESELF: &str = "/_user/sessions/end";
/// A file that can be stored.
const FILE: &str = "station,rain\r\nAlki,5\r\n";
const UPLOAD: &str = "/<bucket>/upload";
const STORE: &str = "/<bucket>/upload/store";
/// Forms without their token, what the same person is answered, and what an administrator is whose form has
/// the right one. All are such as change something; the last takes away what the others need.
const FORMS: [(&str, &str, Status, Status); 10] = [
    ("/_user/users/end-sessions", "email=una@example.org", Status::Forbidden, Status::SeeOther),
    ("/_user/buckets", "name=new&max_age_expected=", Status::Forbidden, Status::Ok),
    ("/_user/buckets/<name>/edit", "version=VERSION&queryable=on", Status::Forbidden, Status::SeeOther),
    ("/_user/buckets/<name>/token", "action=revoke", Status::Forbidden, Status::SeeOther),
    ("/_user/users", "email=ben@example.org&bucket=foo", Status::Forbidden, Status::SeeOther),
    ("/_user/users/revoke", "email=una@example.org&bucket=foo", Status::Forbidden, Status::SeeOther),
    (UPLOAD, FILE, Status::NotFound, Status::Ok),
    (STORE, "time_column=&staged=STAGED", Status::NotFound, Status::Ok),
    ("/_user/buckets/<name>/delete", "name=foo&records_only=true", Status::Forbidden, Status::SeeOther),
    ("/_user/buckets/<name>/delete", "name=foo", Status::Forbidden, Status::SeeOther),
];

fn address(route: &str) -> String {
    route.replace("<name>", "foo").replace("<bucket>", "foo")
}

/// An installation with the bucket `foo`, its token and a grant.
async fn site() -> Site {
    let site = Site::new(ProviderKind::Signon).await;
    let foo = BucketName::parse("foo").expect("a name");
    let token = TokenChange::Set(TokenHash::new(&make_token()));
    let save = BucketSave::new(BucketConfig::new(foo), token);
    site.engine.save_buckets(vec![save]).await.expect("a bucket");
    grant(&site, "una@example.org").await;
    site
}

async fn grant(site: &Site, email: &str) {
    let foo = BucketName::parse("foo").expect("a name");
    site.engine.change_grants(email, GrantChange::Grant(vec![foo])).await.expect("a grant");
}

/// Everything that a form could change.
async fn stored(site: &Site) -> String {
    let engine = &site.engine;
    let buckets = engine.buckets().await.expect("buckets");
    let mut counts = Vec::new();
    for bucket in &buckets {
        counts.push(engine.count(bucket.name()).await.expect("a count"));
    }
    let users = engine.users().await.expect("users");
    let filter = AuditFilter { limit: 100, ..AuditFilter::default() };
    let audit = engine.audit(&filter).await.expect("the audit log");
    let done: Vec<_> = audit.iter().filter(|line| !line.entry.action.name().starts_with("sign")).collect();
    format!("{buckets:?} {counts:?} {users:?} {done:?}")
}

/// Sends a form, with a token or without.
async fn send(site: &Site, route: &str, form: &str, token: Option<&str>) -> Answer {
    let address = address(route);
    if route == UPLOAD {
        return site.upload(&address, token, form).await;
    }
    let token = token.map(|token| format!("&form_token={token}")).unwrap_or_default();
    site.post(&address, &(form.to_owned() + &token)).await
}

/// The value of a hidden field of a page.
fn hidden(page: &Answer, name: &str) -> String {
    let (_, rest) = page.body.split_once(&format!("name=\"{name}\" value=\"")).expect("a field");
    rest.split('"').next().expect("a value").to_owned()
}

/// A form with what only a page of its own says.
async fn filled_in(site: &Site, form: &str, token: &str) -> String {
    let mut form = form.to_owned();
    if form.contains("VERSION") {
        form = form.replace("VERSION", &hidden(&site.get("/_user/buckets/foo/edit").await, "version"));
    }
    if form.contains("STAGED") {
        let preview = send(site, UPLOAD, FILE, Some(token)).await;
        form = form.replace("STAGED", &hidden(&preview, "staged"));
    }
    form
}

#[test]
fn every_route_is_in_a_table() {
    let of = |method: Method| -> BTreeSet<String> {
        let routes = routes().into_iter().chain(upload_routes());
        routes.filter(|route| route.method == method).map(|route| route.uri.path().to_string()).collect()
    };
    let pages = PAGES.iter().map(|(route, _)| *route).chain(FOR_EVERYBODY);
    assert_eq!(of(Method::Get), pages.map(str::to_owned).collect());
    let forms = FORMS.iter().map(|(route, ..)| *route).chain([FOR_ONESELF]);
    assert_eq!(of(Method::Post), forms.map(str::to_owned).collect());
    let others = routes().into_iter().chain(upload_routes());
    let others = others.filter(|route| !matches!(route.method, Method::Get | Method::Post));
    assert_eq!(others.count(), 0);
}

#[async_test]
async fn a_form_without_its_token_changes_nothing() {
    let site = site().await;
    site.signed_in("olive").await;
    let another = site.form_token().await;
    site.signed_in("ann").await;
    let token = site.form_token().await;
    for (route, form, _, done) in FORMS {
        let form = filled_in(&site, form, &token).await;
        let before = stored(&site).await;
        for wrong in [None, Some(""), Some("x"), Some(&token[1..]), Some(&another)] {
            let refused = send(&site, route, &form, wrong).await;
            assert_eq!(refused.status, Status::Forbidden, "{route} {form} {wrong:?}: {}", refused.body);
            assert_eq!(stored(&site).await, before, "{route} {form} {wrong:?}");
        }
        // So it was the token.
        let answer = send(&site, route, &form, Some(&token)).await;
        assert_eq!(answer.status, done, "{route} {form}: {}", answer.body);
        // A preview stores nothing.
        assert_eq!(stored(&site).await == before, route == UPLOAD, "{route} {form}");
    }
}

#[async_test]
async fn a_form_is_for_who_may_send_it() {
    let site = site().await;
    let before = stored(&site).await;
    for (route, form, ..) in FORMS {
        for token in [None, Some("x")] {
            let refused = send(&site, route, form, token).await;
            assert_eq!(refused.status, Status::Unauthorized, "{route} {form}: {}", refused.body);
        }
    }
    site.signed_in("olive").await;
    let token = site.form_token().await;
    for (route, form, status, _) in FORMS {
        let refused = send(&site, route, form, Some(&token)).await;
        assert_eq!(refused.status, status, "{route} {form}: {}", refused.body);
    }
    assert_eq!(stored(&site).await, before);
    // Who is granted a bucket may upload to it, and no more.
    grant(&site, "olive@example.org").await;
    let before = stored(&site).await;
    for (route, form, status, _) in FORMS.iter().filter(|(.., status, _)| *status == Status::Forbidden) {
        let refused = send(&site, route, form, Some(&token)).await;
        assert_eq!(refused.status, *status, "{route} {form}, which is granted: {}", refused.body);
    }
    assert_eq!(stored(&site).await, before);
}

#[async_test]
async fn a_page_is_for_who_may_see_it() {
    let site = site().await;
    for (route, _) in PAGES {
        let answer = site.get(&address(route)).await;
        assert_eq!(answer.status, Status::SeeOther, "{route}: {}", answer.body);
        let location = answer.location.unwrap_or_default();
        assert!(location.starts_with("/_user/sign_in?back_to=%2F"), "{route}: {location}");
    }
    site.signed_in("olive").await;
    for (route, status) in PAGES {
        let answer = site.get(&address(route)).await;
        assert_eq!(answer.status, status, "{route}: {}", answer.body);
        assert!(!answer.body.contains("foo"), "{route}: {}", answer.body);
    }
    grant(&site, "olive@example.org").await;
    for (route, status) in PAGES {
        let status = if status == Status::NotFound { Status::Ok } else { status };
        assert_eq!(site.get(&address(route)).await.status, status, "{route}, which is granted");
    }
    site.signed_in("ann").await;
    for (route, _) in PAGES {
        assert_eq!(site.get(&address(route)).await.status, Status::Ok, "{route}");
    }
}
