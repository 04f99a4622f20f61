//! Signing in with the provider for tests, of both kinds; the test is the browser.

mod failures;
mod guards;
mod peer;
mod providers;
mod sessions;
mod site;

use backdrop_common::settings::{ProviderKind, Settings};
use rocket::async_test;
use rocket::http::{ContentType, Cookie, Header, Status};

use self::site::{Site, read};

const KINDS: [ProviderKind; 2] = [ProviderKind::Signon, ProviderKind::Oidc];

#[async_test]
async fn people_sign_in_and_out() {
    for kind in KINDS {
        let site = Site::new(kind).await;
        let refused = site.get("/_user/person?a=b").await;
        assert_eq!(refused.status, Status::SeeOther);
        assert_eq!(refused.location.as_deref(), Some("/_user/sign_in?back_to=%2F_user%2Fperson%3Fa%3Db"));
        let answer = site.sign_in("olive").await;
        assert_eq!((answer.status, answer.location.as_deref()), (Status::SeeOther, Some("/_user/person")));
        for cookie in &answer.cookies {
            assert!(cookie.contains("HttpOnly; SameSite=Lax"), "{cookie}");
            assert!(cookie.contains("Path=/") && cookie.contains("Max-Age="), "{cookie}");
            assert!(!cookie.contains("Secure"), "{cookie}");
            assert!(!cookie.contains("olive"), "{cookie}");
        }
        let page = site.get("/_user/person").await;
        assert!(page.body.starts_with("Olive Owner olive@example.org false "), "{}", page.body);
        assert_eq!(site.get("/_user/administrator").await.status, Status::Forbidden);
        let out = site.get("/_user/sign_out").await;
        let elsewhere = out.location.expect("an address");
        let expected = match kind {
            ProviderKind::Signon => "/users/sign_out",
            ProviderKind::Oidc => "/oauth/sign_out?",
        };
        assert!(elsewhere.starts_with(&(site.provider.url() + expected)), "{elsewhere}");
        assert_eq!(site.get("/_user/person").await.status, Status::SeeOther);
        assert_eq!(site.get("/_user/signed_out").await.status, Status::Ok);
        let olive = |action| ("olive@example.org".to_owned(), action);
        assert_eq!(site.audit().await, [olive("sign out"), olive("sign in")]);
    }
}

#[async_test]
async fn administrators_have_their_pages() {
    for kind in KINDS {
        let site = Site::new(kind).await;
        site.signed_in("ann").await;
        let page = site.get("/_user/administrator").await;
        assert_eq!((page.status, page.body.as_str()), (Status::Ok, "Ann Admin"));
    }
}

#[async_test]
async fn who_has_no_permission_is_told_so() {
    for kind in KINDS {
        let site = Site::new(kind).await;
        let answer = site.sign_in("norman").await;
        assert_eq!(answer.location.as_deref(), Some("/_user/not_authorized"));
        let page = site.get("/_user/not_authorized").await;
        assert_eq!(page.status, Status::Forbidden);
        assert!(page.body.contains("/_user/sign_out"), "{}", page.body);
        assert_eq!(site.get("/_user/person").await.status, Status::SeeOther);
        assert_eq!(site.audit().await, [("norman@example.org".to_owned(), "sign in refused")]);
    }
}

#[async_test]
async fn an_address_that_is_not_verified_is_nobodys() {
    let site = Site::new(ProviderKind::Oidc).await;
    let answer = site.sign_in("una").await;
    assert_eq!(answer.status, Status::Forbidden);
    assert!(answer.body.contains("not verified"), "{}", answer.body);
    assert_eq!(site.get("/_user/person").await.status, Status::SeeOther);
}

#[async_test]
async fn an_answer_belongs_to_one_sign_in() {
    for kind in KINDS {
        let site = Site::new(kind).await;
        let back = site.agree(Some("olive")).await;
        let foreign = back.replace("state=", "state=x");
        assert_eq!(site.get(&foreign).await.status, Status::BadRequest, "another state");
        let other = site.another().await;
        let stolen = read(other.get(&back).dispatch().await).await;
        assert_eq!(stolen.status, Status::BadRequest, "another browser");
        assert!(stolen.body.contains("/_user/sign_in"), "{}", stolen.body);
        let pending = site.cookie("backdrop_sign_in_");
        assert_eq!(site.get(&back).await.location.as_deref(), Some("/_user/person"));
        let again = site.get(&back).await;
        assert_eq!((again.status, again.location.as_deref()), (Status::SeeOther, Some("/_user")), "again");
        assert_eq!(
            other.get(&back).dispatch().await.status(),
            Status::BadRequest,
            "again, by another browser"
        );
        // With the cookie put back, it is the provider that takes no code twice.
        let replayed = other.get(&back).cookie(pending).dispatch().await;
        assert_eq!(replayed.status(), Status::BadGateway, "again, with its cookie");

        site.get("/_user/sign_out").await;
        let back = site.agree(Some("olive")).await;
        site.pass(600);
        assert_eq!(site.get(&back).await.status, Status::BadRequest, "too late");
        assert_eq!(site.get("/_user/authorized").await.status, Status::BadRequest);
    }
}

#[async_test]
async fn each_tab_has_a_sign_in_of_its_own() {
    for kind in KINDS {
        let site = Site::new(kind).await;
        let first = site.agree(Some("olive")).await;
        let second = site.agree(Some("olive")).await;
        for (tab, back) in [("second", second), ("first", first)] {
            let answer = site.get(&back).await;
            assert_eq!(answer.location.as_deref(), Some("/_user/person"), "{tab}: {}", answer.body);
            assert_eq!(site.get("/_user/person").await.status, Status::Ok, "{tab}");
        }
        // Of many that nobody goes on with the newest are known.
        let mut begun = Vec::new();
        for _ in 0..7 {
            site.pass(1);
            begun.push(site.agree(Some("olive")).await);
        }
        let cookies = site
            .client
            .cookies()
            .iter()
            .filter(|cookie| cookie.name().starts_with("backdrop_sign_in_"))
            .count();
        assert_eq!(cookies, 5);
        let expected = ["/_user", "/_user", "/_user/person", "/_user/person"];
        for (back, expected) in begun.iter().zip(expected) {
            assert_eq!(site.get(back).await.location.as_deref(), Some(expected), "{kind:?}");
        }
    }
}

#[async_test]
async fn who_denies_is_not_signed_in() {
    for kind in KINDS {
        let site = Site::new(kind).await;
        let back = site.agree(None).await;
        assert!(back.contains("error=access_denied"), "{back}");
        assert_eq!(site.get("/_user/authorized?error=access_denied").await.status, Status::BadRequest);
        let back = site.agree(None).await;
        let answer = site.get(&back).await;
        assert_eq!(answer.status, Status::Forbidden);
        assert!(answer.body.contains("You are not signed in"), "{}", answer.body);
    }
}

#[async_test]
async fn a_sign_in_is_another_session() {
    let site = Site::new(ProviderKind::Signon).await;
    site.signed_in("olive").await;
    let before = site.client.cookies().get("backdrop_session").cloned();
    site.signed_in("olive").await;
    assert_ne!(site.client.cookies().get("backdrop_session").cloned(), before);
}

#[async_test]
async fn a_form_of_ours_leads_to_no_redirect_once_nobody_is_signed_in() {
    let site = Site::new(ProviderKind::Signon).await;
    let from = async |fetch_site: Option<&'static str>| {
        let mut request = site.client.get("/_user/person?a=b&c=%26");
        if let Some(fetch_site) = fetch_site {
            request.add_header(Header::new("Sec-Fetch-Site", fetch_site));
        }
        read(request.dispatch().await).await
    };
    for elsewhere in [None, Some("none"), Some("cross-site"), Some("same-site"), Some("anything")] {
        let answer = from(elsewhere).await;
        assert_eq!(answer.status, Status::SeeOther, "{elsewhere:?}");
        let expected = "/_user/sign_in?back_to=%2F_user%2Fperson%3Fa%3Db%26c%3D%2526";
        assert_eq!(answer.location.as_deref(), Some(expected), "{elsewhere:?}");
    }
    let said = from(Some("same-origin")).await;
    assert_eq!((said.status, said.location), (Status::Unauthorized, None));
    assert!(said.body.contains("<h1>Your session has ended</h1>"), "{}", said.body);
    assert!(said.body.contains("Sign in again to go on."), "{}", said.body);
    let link = r#"href="/_user/sign_in?back_to=%2F_user%2Fperson%3Fa%3Db%26c%3D%2526""#;
    assert!(said.body.contains(link), "{}", said.body);
    // The first page is for everybody, and asks nobody to sign in again who may never have.
    let request = site.client.get("/_user").header(Header::new("Sec-Fetch-Site", "same-origin"));
    let first = read(request.dispatch().await).await;
    assert_eq!(first.status, Status::Ok, "{}", first.body);
}

#[async_test]
async fn a_page_of_another_site_signs_nobody_out() {
    let site = Site::new(ProviderKind::Signon).await;
    site.signed_in("olive").await;
    let request = site.client.get("/_user/sign_out").header(Header::new("Sec-Fetch-Site", "cross-site"));
    let asked = read(request.dispatch().await).await;
    assert_eq!(asked.status, Status::Ok);
    assert!(asked.body.contains("Sign out?"), "{}", asked.body);
    assert_eq!(site.get("/_user/person").await.status, Status::Ok);
    let request = site.client.get("/_user/sign_out").header(Header::new("Sec-Fetch-Site", "same-origin"));
    assert_eq!(request.dispatch().await.status(), Status::SeeOther);
    assert_eq!(site.get("/_user/person").await.status, Status::SeeOther);
}

#[async_test]
async fn cookies_belong_to_the_public_host() {
    let site = Site::new(ProviderKind::Signon).await;
    let path = "/_user/sign_in?back_to=/_user/users?a%3Db";
    let at =
        |host: &'static str, path: &str| site.client.get(path.to_owned()).header(Header::new("Host", host));
    let moved = read(at("localhost:3039", path).dispatch().await).await.location.expect("an address");
    assert_eq!(moved, "http://127.0.0.1:3039/_user/sign_in?back_to=%2F_user%2Fusers%3Fa%3Db&moved=1");
    // Behind a proxy that changes the host, there is no other to be sent to.
    let path = moved.strip_prefix("http://127.0.0.1:3039").expect("our host");
    for host in ["localhost:3039", "127.0.0.1:3039"] {
        let begun = read(at(host, path).dispatch().await).await.location.expect("an address");
        assert!(begun.starts_with(&site.provider.url()), "{begun}");
    }
}

/// What a form's answer says to the next page, and the cookie that it says it with.
async fn noted(site: &Site) -> (Status, String) {
    let rocket = rocket::build().manage(site.app()).mount("/", rocket::routes![note]);
    let client = rocket::local::asynchronous::Client::untracked(rocket).await.expect("an app");
    let answer = client.get("/note").dispatch().await;
    let cookie = answer.headers().get_one("Set-Cookie").expect("a cookie").to_owned();
    (answer.status(), cookie)
}

#[rocket::get("/note")]
fn note() -> super::notice::Noted {
    super::notice::Noted::new("/_user", "It is done.")
}

#[async_test]
async fn in_production_cookies_need_https() {
    let production = |settings: &mut Settings| {
        settings.public_url = Some("https://backdrop.example.org".parse().expect("a URL"));
    };
    let site = Site::with(ProviderKind::Signon, production).await;
    let begun = site.client.get("/_user/sign_in").dispatch().await;
    let cookie = begun.headers().get_one("Set-Cookie").expect("a cookie").to_owned();
    assert!(cookie.starts_with("__Host-backdrop_sign_in_"), "{cookie}");
    assert!(cookie.contains("Secure"), "{cookie}");
    assert!(!cookie.contains("Domain"), "{cookie}");
    let hsts = begun.headers().get_one("Strict-Transport-Security");
    assert_eq!(hsts, Some("max-age=31536000; includeSubDomains"));
    assert_eq!(begun.headers().get_one("Cache-Control"), Some("no-store"));
    assert!(
        begun.headers().get_one("Location").is_some_and(|location| location.contains("backdrop.example.org"))
    );
    let (_, cookie) = noted(&site).await;
    assert!(cookie.starts_with("__Host-backdrop_notice=") && cookie.contains("Secure"), "{cookie}");
    assert!(cookie.contains("Path=/;") || cookie.ends_with("Path=/"), "{cookie}");
    // A browser lets go of it only if the removal looks the same.
    let cookie = Cookie::new("__Host-backdrop_session", "x");
    let ended = read(site.client.get("/_user/sign_out").cookie(cookie).dispatch().await).await;
    let removed = ended.cookies.iter().find(|cookie| cookie.starts_with("__Host-backdrop_session=;"));
    assert!(removed.is_some_and(|cookie| cookie.contains("Secure")), "{:?}", ended.cookies);
}

#[async_test]
async fn sign_ins_are_limited_by_address() {
    let few = |settings: &mut Settings| {
        let sign_in = settings.sign_in.as_mut().expect("a provider");
        sign_in.sign_ins_per_minute = 3.try_into().expect("a number");
    };
    let site = Site::with(ProviderKind::Signon, few).await;
    let from = |address: &str| {
        site.client.get("/_user/sign_in").remote(format!("{address}:50000").parse().expect("an address"))
    };
    for _ in 0..3 {
        assert_eq!(from("192.0.2.1").dispatch().await.status(), Status::SeeOther);
    }
    let answer = read(from("192.0.2.1").dispatch().await).await;
    assert_eq!(answer.status, Status::TooManyRequests);
    let wait: u64 = answer.retry_after.expect("a header").parse().expect("seconds");
    assert!((1..=21).contains(&wait), "{wait}");
    assert_eq!(from("192.0.2.2").dispatch().await.status(), Status::SeeOther);
}

#[async_test]
async fn without_a_provider_pages_say_so() {
    let site = Site::with(ProviderKind::Signon, |settings| settings.sign_in = None).await;
    for path in
        ["/_user/person", "/_user/administrator", "/_user/sign_in", "/_user/authorized", "/_user/sign_out"]
    {
        let answer = site.get(path).await;
        assert_eq!(answer.status, Status::ServiceUnavailable, "{path}");
        assert!(answer.body.contains("Signing in is not set up"), "{path}");
    }
}

#[async_test]
async fn what_is_no_page_is_said_on_one() {
    let site = Site::new(ProviderKind::Signon).await;
    for path in ["/_user/nothing", "/_user/nothing/here", "/_user/", "/_user//person"] {
        let response = site.client.get(path).dispatch().await;
        assert_eq!(response.status(), Status::NotFound, "{path}");
        assert_eq!(response.content_type(), Some(ContentType::HTML), "{path}");
        assert!(response.headers().contains("Content-Security-Policy"), "{path}");
    }
    let response = site.client.get("/nothing/here").dispatch().await;
    assert_eq!(response.content_type(), Some(ContentType::JSON));
    assert_eq!(response.headers().get_one("Cache-Control"), Some("no-cache"));
}

#[async_test]
async fn a_cookie_of_our_making_only() {
    let site = Site::new(ProviderKind::Signon).await;
    site.signed_in("olive").await;
    let session = site.client.cookies().get("backdrop_session").cloned().expect("a cookie");
    let another = site.another().await;
    let shown = another.get("/_user/person").cookie(session.clone()).dispatch().await;
    assert_eq!(shown.status(), Status::Ok, "after a restart");
    let other = if session.value().starts_with('A') { "B" } else { "A" };
    let tampered = format!("{other}{}", &session.value()[1..]);
    let content = r#"{"uid":"u","name":"n","email":"ann@example.org","is_admin":true,"form_token":"t"}"#;
    let tokens = site.client.cookies().get("backdrop_tokens").cloned().expect("a cookie");
    for value in [&tampered, content, "", tokens.value()] {
        let another = site.another().await;
        let cookie = Cookie::new("backdrop_session", value.to_owned());
        let shown = another.get("/_user/person").cookie(cookie).dispatch().await;
        assert_eq!(shown.status(), Status::SeeOther, "{value}");
    }
}
