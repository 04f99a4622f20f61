//! The token that every form of a person has in its field `form_token`, so that no other site can send one.

use std::fmt;

use backdrop_common::token::make_token;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::PageError;

/// The token of a person's forms in one browser. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FormToken(String);

impl FormToken {
    pub(super) fn new() -> Self {
        Self(make_token().expose_secret().to_owned())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Checks what a form was sent with, in constant time.
    ///
    /// # Errors
    ///
    /// [`PageError::ForeignForm`] if it is another token.
    pub(super) fn check(&self, sent: &str) -> Result<(), PageError> {
        let is_own: bool = sent.as_bytes().ct_eq(self.0.as_bytes()).into();
        if is_own { Ok(()) } else { Err(PageError::ForeignForm) }
    }
}

impl fmt::Debug for FormToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("FormToken(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_has_the_token_of_its_person() {
        let (own, other) = (FormToken::new(), FormToken::new());
        assert!(own.check(own.as_str()).is_ok());
        for foreign in ["", "x", other.as_str(), &own.as_str()[1..]] {
            assert!(own.check(foreign).is_err(), "{foreign}");
        }
        assert_eq!(format!("{own:?}"), "FormToken(…)");
    }
}
