//! What the claims of an OpenID provider say of a person. Pure.

use std::borrow::Cow;

use backdrop_common::settings::SignInSettings;
use serde_json::Value as Json;

use super::super::{Fault, Profile, ProviderError};

/// What whoever sets the provider up does about an account without an address.
const NO_EMAIL: &str = "Backdrop knows people by their email address, which the provider does not tell of this account. \
     Whoever set up signing in must have the provider put the claim email into ID tokens or userinfo (in Entra ID: the \
     optional claim email; elsewhere: the scope email), or, where nobody can choose those for themselves, name another \
     claim with addresses in BACKDROP_OIDC_EMAIL_CLAIM, as preferred_username or upn.";

/// Which claims say what a person may do, and how they are known.
pub(super) struct ClaimNames {
    /// The name of the list, or those of the keys on the way to it.
    permissions: String,
    signin: String,
    admin: String,
    email: String,
}

impl ClaimNames {
    pub(super) fn new(settings: &SignInSettings) -> Self {
        Self {
            permissions: settings.permissions_claim.clone(),
            signin: settings.signin_group.clone(),
            admin: settings.admin_group.clone(),
            email: settings.email_claim.clone(),
        }
    }

    /// What userinfo says of a person, and where it is silent, their ID token, whose subjects are the
    /// same.
    pub(super) fn profile(
        &self,
        id_token: Option<&Json>,
        user_info: Option<&Json>,
    ) -> Result<Profile, ProviderError> {
        let sources: Vec<&Json> = user_info.into_iter().chain(id_token).collect();
        let text = |name: &str| sources.iter().find_map(|claims| text(claims, name));
        let fault = |problem: String| Fault::new("the claims of the ID token and userinfo", problem);
        let uid = sources.iter().find_map(|claims| subject(claims));
        let uid = uid.ok_or_else(|| fault("sub is missing".to_owned()))?;
        if sources.iter().any(|claims| subject(claims).as_ref() != Some(&uid)) {
            return Err(Fault::new(
                "userinfo",
                "sub is missing, or that of another person than in the ID token",
            )
            .into());
        }
        if sources.iter().any(|claims| is_false(&claims["email_verified"])) {
            return Err(ProviderError::UnverifiedEmail);
        }
        let Some(email) = text(&self.email) else {
            let others: Vec<_> = ["preferred_username", "upn", "email"]
                .into_iter()
                .filter(|name| text(name).is_some())
                .collect();
            let others = if others.is_empty() { "none".to_owned() } else { others.join(", ") };
            let problem =
                format!("{} is missing, or no text (others that may be an address: {others})", self.email);
            return Err(fault(problem).advising(NO_EMAIL).into());
        };
        let name = text("name").or_else(|| text("preferred_username")).unwrap_or_default();
        let permissions = sources.iter().find_map(|claims| self.permissions(claims)).unwrap_or_default();
        let may = |permission: &String| permissions.contains(&permission.as_str());
        Profile::new(&uid, name, email, (may(&self.signin), may(&self.admin)))
    }

    /// The claim that a session needs and neither has.
    pub(super) fn missing(&self, id_token: Option<&Json>, user_info: Option<&Json>) -> Option<&str> {
        let mut sources = user_info.into_iter().chain(id_token);
        if !sources.clone().any(|claims| self.permissions(claims).is_some()) {
            return Some(&self.permissions);
        }
        (!sources.any(|claims| text(claims, &self.email).is_some())).then_some(&self.email)
    }

    /// The list of what a person may do: texts in a list, one text, or the keys of an object, as ZITADEL has
    /// its roles. One text is one name: what is in it is not taken apart.
    fn permissions<'a>(&self, claims: &'a Json) -> Option<Vec<&'a str>> {
        // Keycloak may give groups with their path.
        let name = |name: &'a str| name.trim_start_matches('/');
        match find(claims, &self.permissions)? {
            Json::Array(list) => Some(list.iter().filter_map(Json::as_str).map(name).collect()),
            Json::String(one) => Some(vec![name(one)]),
            Json::Object(roles) => {
                let given = roles.iter().filter(|(_, to)| !to.is_null() && !is_false(to));
                Some(given.map(|(role, _)| role.as_str()).collect())
            }
            _ => None,
        }
    }
}

/// The claim with a name, or what is inside of others by a path of names with dots between. A name may have
/// dots itself, as one that is a URL.
fn find<'a>(claims: &'a Json, path: &str) -> Option<&'a Json> {
    let whole = claims.get(path).filter(|claim| !claim.is_null());
    whole.or_else(|| {
        path.match_indices('.').rev().find_map(|(dot, _)| find(claims.get(&path[..dot])?, &path[dot + 1..]))
    })
}

/// A claim that is text, if it says something.
fn text<'a>(claims: &'a Json, name: &str) -> Option<&'a str> {
    find(claims, name)?.as_str().filter(|text| !text.trim().is_empty())
}

/// What the provider calls the person. Some give numbers.
fn subject(claims: &Json) -> Option<Cow<'_, str>> {
    match &claims["sub"] {
        Json::String(text) => Some(text.into()),
        Json::Number(number) if !number.is_f64() => Some(number.to_string().into()),
        _ => None,
    }
}

/// Some providers spell it as text, or as a number.
fn is_false(claim: &Json) -> bool {
    match claim {
        Json::Bool(value) => !value,
        Json::String(text) => ["false", "0", "no"].contains(&text.trim().to_ascii_lowercase().as_str()),
        Json::Number(number) => number.as_f64() == Some(0.0),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use backdrop_common::settings::ProviderKind;
    use serde_json::json;

    use super::*;

    fn names(permissions_claim: &str) -> ClaimNames {
        let settings = SignInSettings::for_testing(ProviderKind::Oidc, "http://localhost");
        ClaimNames::new(&SignInSettings { permissions_claim: permissions_claim.to_owned(), ..settings })
    }

    #[track_caller]
    fn check(permissions_claim: &str, claims: &Json, expected: Option<(&str, bool, bool)>) {
        let found = names(permissions_claim).profile(Some(claims), None).ok();
        let found = found.as_ref().map(|found| (found.name.as_str(), found.may_sign_in, found.is_admin));
        assert_eq!(found, expected, "{claims}");
    }

    #[test]
    fn what_claims_say() {
        let ann = |more: Json| {
            let mut claims = json!({"sub": "u1", "email": "ann@example.org", "name": "Ann"});
            claims.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
            claims
        };
        check("groups", &ann(json!({"groups": ["signin", "admin"]})), Some(("Ann", true, true)));
        check("groups", &ann(json!({"groups": ["/signin"]})), Some(("Ann", true, false)));
        check("groups", &ann(json!({"groups": "signin"})), Some(("Ann", true, false)));
        check("groups", &ann(json!({"groups": ["signin2", 1, null]})), Some(("Ann", false, false)));
        check("groups", &ann(json!({"groups": "signin admin"})), Some(("Ann", false, false)));
        check(
            "groups",
            &ann(json!({"groups": {"signin": {"org-1": "x"}, "admin": null}})),
            Some(("Ann", true, false)),
        );
        check(
            "groups",
            &ann(json!({"groups": {"signin": true, "admin": false}})),
            Some(("Ann", true, false)),
        );
        check("groups", &ann(json!({"groups": 5})), Some(("Ann", false, false)));
        check("groups", &ann(json!({})), Some(("Ann", false, false)));
        check(
            "https://example.org/groups",
            &ann(json!({"https://example.org/groups": ["signin"]})),
            Some(("Ann", true, false)),
        );
        check(
            "realm_access.roles",
            &ann(json!({"groups": ["admin"], "realm_access": {"roles": ["signin"]}})),
            Some(("Ann", true, false)),
        );
        check(
            "resource_access.back.drop.roles",
            &ann(
                json!({"resource_access": {"back.drop": {"roles": ["signin"]}, "other": {"roles": ["admin"]}}}),
            ),
            Some(("Ann", true, false)),
        );
        check("cognito:groups", &ann(json!({"cognito:groups": ["admin"]})), Some(("Ann", false, true)));
        check(
            "urn:zitadel:iam:org:project:roles",
            &ann(json!({"urn:zitadel:iam:org:project:roles": {"signin": {"28": "x.zitadel.cloud"}}})),
            Some(("Ann", true, false)),
        );
        check(
            "groups",
            &ann(json!({"name": null, "preferred_username": "ann"})),
            Some(("ann", false, false)),
        );
        check("groups", &ann(json!({"name": " "})), Some(("ann@example.org", false, false)));
        check("groups", &ann(json!({"email_verified": true})), Some(("Ann", false, false)));
        check("groups", &ann(json!({"email_verified": false})), None);
        for unverified in [json!("false"), json!("False"), json!(" no "), json!(0), json!("0")] {
            check("groups", &ann(json!({"email_verified": unverified})), None);
        }
        for verified in [json!("true"), json!(1), json!(null), json!({}), json!("yes")] {
            check("groups", &ann(json!({"email_verified": verified})), Some(("Ann", false, false)));
        }
        for odd in [json!("1 High Street"), json!(["x"]), json!(5)] {
            check(
                "groups",
                &ann(json!({"address": odd, "updated_at": odd, "locale": odd})),
                Some(("Ann", false, false)),
            );
        }
        check("groups", &ann(json!({"sub": 17})), Some(("Ann", false, false)));
        check("groups", &ann(json!({"sub": 1.5})), None);
        check("groups", &ann(json!({"email": ""})), None);
        check("groups", &ann(json!({"email": 5})), None);
        check("groups", &ann(json!({"email": null})), None);
        check("groups", &ann(json!({"sub": ""})), None);
    }

    #[test]
    fn an_account_without_an_address_is_said() {
        let claims = json!({"sub": "u1", "upn": "ann@example.org", "preferred_username": "ann@example.org"});
        let Err(ProviderError::Unexpected(fault)) = names("groups").profile(Some(&claims), None) else {
            panic!("a fault");
        };
        let said = fault.to_string();
        assert!(said.contains("email is missing") && said.ends_with("preferred_username, upn)"), "{said}");
        assert!(!said.contains('@'), "{said}");
        assert!(fault.advice().contains("BACKDROP_OIDC_EMAIL_CLAIM"));
        let settings = SignInSettings::for_testing(ProviderKind::Oidc, "http://localhost");
        let by_upn = ClaimNames::new(&SignInSettings { email_claim: "upn".to_owned(), ..settings });
        assert_eq!(by_upn.profile(Some(&claims), None).expect("a profile").email, "ann@example.org");
    }

    #[test]
    fn what_is_missing_is_not_what_is_empty() {
        let missing = |id_token: Option<&Json>, user_info: &Json| {
            names("groups").missing(id_token, Some(user_info)).map(str::to_owned)
        };
        let whole = json!({"email": "ann@example.org", "groups": []});
        assert_eq!(missing(None, &whole), None);
        for (user_info, expected) in [
            (json!({"email": "ann@example.org"}), "groups"),
            (json!({"email": "ann@example.org", "groups": null}), "groups"),
            (json!({"groups": ["signin"]}), "email"),
            (json!({"groups": ["signin"], "email": null}), "email"),
        ] {
            assert_eq!(missing(None, &user_info).as_deref(), Some(expected), "{user_info}");
            assert_eq!(missing(Some(&whole), &user_info), None, "{user_info}");
        }
        assert_eq!(names("a.b").missing(None, None), Some("a.b"));
    }

    #[test]
    fn userinfo_comes_first_and_is_of_the_same_person() {
        let id_token = json!({"sub": "u1", "email": "ann@example.org", "groups": ["signin", "admin"]});
        let user_info = json!({"sub": "u1", "groups": ["signin"]});
        let profile = names("groups").profile(Some(&id_token), Some(&user_info)).expect("a profile");
        assert_eq!((profile.may_sign_in, profile.is_admin), (true, false));
        assert_eq!(profile.email, "ann@example.org");
        let other = json!({"sub": "u2", "email": "ann@example.org"});
        assert!(names("groups").profile(Some(&id_token), Some(&other)).is_err());
    }
}
