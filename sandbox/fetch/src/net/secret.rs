//! What is sent to a server and never shown: no `Display`, no `Serialize`, a `Debug` that tells nothing.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A password, a token, or a header made of one.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps a text from being shown.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The value of a header that proves who asks, from name and password.
    pub(crate) fn basic(user: &str, password: &Secret) -> Secret {
        let pair = format!("{user}:{}", password.0);
        Secret(format!("Basic {}", STANDARD.encode(pair)))
    }

    /// The value of a header with a token.
    pub(crate) fn bearer(token: &Secret) -> Secret {
        Secret(format!("Bearer {}", token.0))
    }

    /// The text itself, for the request that needs it.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// Whether it may be part of a header: a line break in it would make two.
    pub(crate) fn fits_a_header(&self) -> bool {
        !self.0.is_empty() && self.0.bytes().all(|b| (0x20..0x7f).contains(&b))
    }

    /// Whether a text that somebody else wrote holds it, as it is or encoded.
    pub(crate) fn is_in(&self, text: &str) -> bool {
        let encoded = |text: &str| STANDARD.encode(text);
        let of_header = self.0.split_once(' ').map_or("", |(_, value)| value);
        !self.0.is_empty()
            && (text.contains(&self.0)
                || text.contains(encoded(&self.0).trim_end_matches('='))
                || (!of_header.is_empty() && text.contains(of_header)))
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown_and_is_recognised_in_what_others_say() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret:?}"), "Secret(..)");
        let header = Secret::basic("me", &secret);
        // From RFC 7617's rule: base64 of `me:hunter2`, by coreutils' base64.
        assert_eq!(header.expose(), "Basic bWU6aHVudGVyMg==");
        assert!(secret.is_in("you sent hunter2!"));
        assert!(header.is_in("you sent bWU6aHVudGVyMg==!"));
        assert!(!secret.is_in("you sent nothing") && !Secret::new("").is_in("x"));
    }

    #[test]
    fn a_line_break_does_not_fit_a_header() {
        assert!(Secret::new("ghp_x").fits_a_header());
        for wrong in ["", "a\r\nX: y", "a\0", "ä"] {
            assert!(!Secret::new(wrong).fits_a_header(), "{wrong:?}");
        }
    }
}
