//! What a registry wants to know before it answers: `WWW-Authenticate`, and the token that answers it.

use serde::Deserialize;

use crate::net::Secret;

/// What a registry asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// Name and password.
    Basic,
    /// A token that another server gives.
    Bearer {
        /// where it is asked for
        realm: String,
        /// for what service
        service: Option<String>,
        /// for what
        scope: Option<String>,
    },
}

/// Longest header that is looked at, and most parameters of one challenge.
const HEADER_BYTES_MAX: usize = 8 << 10;
const PARAMETERS_MAX: usize = 32;
/// Longest token.
const TOKEN_BYTES_MAX: usize = 16 << 10;

/// All challenges of a header that are known; what is malformed is passed over.
pub fn parse_challenges(header: &str) -> Vec<Challenge> {
    let mut out = Vec::new();
    if header.len() > HEADER_BYTES_MAX {
        return out;
    }
    let mut rest = header.trim_start();
    while let Some((scheme, after)) = word(rest) {
        let (parameters, after) = parameters(after);
        let find = |name: &str| {
            let mut found = parameters.iter();
            let (_, value) = found.find(|(key, _)| key.eq_ignore_ascii_case(name))?;
            Some(value.clone())
        };
        if scheme.eq_ignore_ascii_case("basic") {
            out.push(Challenge::Basic);
        } else if scheme.eq_ignore_ascii_case("bearer")
            && let Some(realm) = find("realm")
        {
            out.push(Challenge::Bearer {
                realm,
                service: find("service"),
                scope: find("scope"),
            });
        }
        rest = after.trim_start_matches([' ', '\t', ',']);
    }
    out
}

/// A scheme or a parameter's name, and what follows.
fn word(text: &str) -> Option<(&str, &str)> {
    let end = text
        .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '~' | '+')))
        .unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

/// `name=value` with commas between, and what follows them.
fn parameters(text: &str) -> (Vec<(String, String)>, &str) {
    let mut out = Vec::new();
    let mut rest = text;
    loop {
        let begin = rest.trim_start_matches([' ', '\t', ',']);
        let Some((name, after)) = word(begin) else {
            return (out, begin.get(1..).unwrap_or_default());
        };
        let Some(after) = after.trim_start().strip_prefix('=') else {
            // The next challenge's scheme.
            return (out, begin);
        };
        let Some((value, after)) = value(after.trim_start()) else {
            return (out, "");
        };
        if out.len() == PARAMETERS_MAX {
            return (out, "");
        }
        out.push((name.to_owned(), value));
        rest = after;
    }
}

/// A word, or a text in quotes.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ', '\t']).unwrap_or(text.len());
        return Some((text[..end].to_owned(), &text[end..]));
    };
    let mut out = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((out, &quoted[at + 1..])),
            '\\' => out.push(chars.next()?.1),
            c => out.push(c),
        }
    }
    None
}

/// A token server's answer.
///
/// `None` where it holds no token that could be sent.
pub fn parse_token(json: &[u8]) -> Option<Secret> {
    #[derive(Deserialize)]
    struct Answer {
        token: Option<String>,
        access_token: Option<String>,
    }
    let answer: Answer = serde_json::from_slice(json).ok()?;
    let token = answer
        .token
        .filter(|token| !token.is_empty())
        .or(answer.access_token)?;
    let token = Secret::new(token);
    (token.expose().len() <= TOKEN_BYTES_MAX && token.fits_a_header()).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Challenge {
        Challenge::Bearer {
            realm: realm.to_owned(),
            service: service.map(str::to_owned),
            scope: scope.map(str::to_owned),
        }
    }

    #[test]
    fn challenges_of_real_registries_are_read() {
        assert_eq!(
            parse_challenges(
                r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/x:pull""#
            ),
            [bearer(
                "https://auth.docker.io/token",
                Some("registry.docker.io"),
                Some("repository:library/x:pull")
            )]
        );
        assert_eq!(parse_challenges("Basic realm=\"r\""), [Challenge::Basic]);
        assert_eq!(
            parse_challenges("bearer  realm = https://a/t , basic realm=x"),
            [bearer("https://a/t", None, None), Challenge::Basic]
        );
        assert_eq!(
            parse_challenges(r#"Negotiate, Bearer realm="a\"b""#),
            [bearer("a\"b", None, None)]
        );
    }

    #[test]
    fn what_is_malformed_ends_and_is_passed_over() {
        for wrong in [
            "",
            ",",
            "=",
            "\"",
            "Bearer",
            "Bearer realm",
            "Bearer realm=\"x",
            "Digest a=b",
            "ä",
        ] {
            assert_eq!(parse_challenges(wrong), [], "{wrong}");
        }
        assert_eq!(parse_challenges(&"Basic ".repeat(10_000)), []);
    }

    #[test]
    fn a_token_that_cannot_be_sent_is_none() {
        assert_eq!(parse_token(br#"{"token":"a"}"#), Some(Secret::new("a")));
        assert_eq!(
            parse_token(br#"{"token":"","access_token":"b","expires_in":1}"#),
            Some(Secret::new("b"))
        );
        for wrong in [
            &b"{}"[..],
            b"[]",
            b"",
            br#"{"token":"a\r\nX: y"}"#,
            br#"{"token":7}"#,
        ] {
            assert_eq!(parse_token(wrong), None);
        }
    }
}
