//! Providers that are in use: each as it comes, with the settings that docs/operate/sign-in.md names for it.

use backdrop_common::settings::{ProviderKind, SignInSettings};
use backdrop_signon::Shape;
use rocket::async_test;
use rocket::http::Status;

use super::site::Site;

/// A provider, which claim lists what a person may do, and where signing out leads.
const PROVIDERS: [(Shape, &str, &str); 7] = [
    (Shape::Plain, "groups", "PROVIDER/oauth/sign_out?"),
    (Shape::Auth0, "https://backdrop.example.org/roles", "/_user/signed_out"),
    (Shape::Cognito, "cognito:groups", "/_user/signed_out"),
    (Shape::Zitadel, "urn:zitadel:iam:org:project:roles", "PROVIDER/oauth/sign_out?"),
    (Shape::Entra, "roles", "PROVIDER/oauth/sign_out?"),
    (Shape::Keycloak, "realm_access.roles", "PROVIDER/oauth/sign_out?"),
    (Shape::Okta, "groups", "PROVIDER/oauth/sign_out?"),
];

async fn site(shape: Shape, change: impl FnOnce(&mut SignInSettings)) -> Site {
    let site =
        Site::with(ProviderKind::Oidc, |settings| change(settings.sign_in.as_mut().expect("a provider")));
    let site = site.await;
    site.provider.store.set_shape(shape);
    site
}

#[async_test]
async fn people_sign_in_with_each_stay_and_sign_out() {
    for (shape, claim, signed_out) in PROVIDERS {
        let site = site(shape, |settings| settings.permissions_claim = claim.to_owned()).await;
        site.signed_in("olive").await;
        for _ in 0..4 {
            let page = site.get("/_user/person").await;
            assert!(
                page.body.starts_with("Olive Owner olive@example.org false "),
                "{shape:?}: {}",
                page.body
            );
            site.pass(301);
        }
        site.signed_in("ann").await;
        assert_eq!(site.get("/_user/administrator").await.body, "Ann Admin", "{shape:?}");
        let expected = signed_out.replace("PROVIDER", &site.provider.url());
        let elsewhere = site.get("/_user/sign_out").await.location.expect("an address");
        assert!(elsewhere.starts_with(&expected), "{shape:?}: {elsewhere}");
        if signed_out.starts_with("PROVIDER") {
            assert!(
                elsewhere.contains("client_id=backdrop") && elsewhere.contains("post_logout_redirect_uri=")
            );
            let status = reqwest::get(&elsewhere).await.map(|answer| answer.status().as_u16());
            assert!(!matches!(status, Ok(400)), "{shape:?}: {elsewhere}");
        }
        // Who may nothing is told so, and no fault of the set-up.
        assert_eq!(
            site.sign_in("norman").await.location.as_deref(),
            Some("/_user/not_authorized"),
            "{shape:?}"
        );
    }
}

#[async_test]
async fn a_hint_is_sent_where_it_has_room() {
    for (shape, has_hint) in [(Shape::Okta, true), (Shape::Entra, true), (Shape::Keycloak, false)] {
        let claim = PROVIDERS.iter().find(|(known, ..)| *known == shape).map_or("", |(_, claim, _)| claim);
        let site = site(shape, |settings| settings.permissions_claim = claim.to_owned()).await;
        site.signed_in("olive").await;
        let elsewhere = site.get("/_user/sign_out").await.location.expect("an address");
        assert_eq!(elsewhere.contains("&id_token_hint=ey"), has_hint, "{shape:?}: {elsewhere}");
    }
}

#[async_test]
async fn audiences_are_trusted_by_name_if_any_is_named() {
    for (audiences, status) in [("project-1 other", Status::SeeOther), ("other", Status::BadGateway)] {
        let site = site(Shape::Zitadel, |settings| {
            settings.permissions_claim = "urn:zitadel:iam:org:project:roles".to_owned();
            settings.audiences = Some(audiences.split(' ').map(str::to_owned).collect());
        });
        let site = site.await;
        let answer = site.sign_in("olive").await;
        assert_eq!(answer.status, status, "{audiences}: {}", answer.body);
        if status == Status::BadGateway {
            for said in ["the ID token: aud is", "BACKDROP_OIDC_AUDIENCES", "Trying again does not help"] {
                assert!(answer.body.contains(said), "{said}: {}", answer.body);
            }
        }
    }
}

#[async_test]
async fn a_claim_that_is_named_wrongly_is_said_to_who_signs_in() {
    let site = site(Shape::Entra, |settings| settings.email_claim = "mail".to_owned()).await;
    let answer = site.sign_in("olive").await;
    assert_eq!(answer.status, Status::BadGateway);
    for said in ["mail is missing", "preferred_username", "BACKDROP_OIDC_EMAIL_CLAIM"] {
        assert!(answer.body.contains(said), "{said}: {}", answer.body);
    }
    assert!(!answer.body.contains("in a few minutes"), "{}", answer.body);
}
