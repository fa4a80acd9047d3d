//! Which hosts a job may reach, and how many bytes may pass.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The ports of a rule that names none: HTTP and HTTPS.
const PORTS: [u16; 2] = [80, 443];

/// What a job may reach.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// hosts; none of them is nothing
    pub hosts: Vec<HostRule>,
    /// bytes that may pass, both ways and all connections together
    pub bytes_max: u64,
    /// requests, of which each is on record
    pub requests_max: u64,
    /// connections at a time; more wait
    pub connections_max: usize,
    /// time after which a connection is closed on which nothing passes
    pub idle: Duration,
    /// whether a name may lead to an address that is not the world's: to this machine, its network, a cloud's metadata
    pub private_addresses: bool,
}

impl Policy {
    /// The hosts `rules`; 16 GiB, 100,000 requests, 64 connections, a minute; the world's addresses only.
    pub fn new<'a>(rules: impl IntoIterator<Item = &'a str>) -> Result<Policy, ParseRuleError> {
        Ok(Policy {
            hosts: rules
                .into_iter()
                .map(str::parse)
                .collect::<Result<_, _>>()?,
            ..Policy::none()
        })
    }

    /// No host, and the limits of [`Policy::new`].
    pub fn none() -> Policy {
        Policy {
            hosts: Vec::new(),
            bytes_max: 16 << 30,
            requests_max: 100_000,
            connections_max: 64,
            idle: Duration::from_secs(60),
            private_addresses: false,
        }
    }

    /// Whether some rule names `host` and `port`.
    pub fn names(&self, host: &Host, port: u16) -> bool {
        self.hosts.iter().any(|rule| rule.names(host, port))
    }
}

/// A host as it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// by name, in lower case, without a dot at its end
    Name(String),
    /// by address
    Address(IpAddr),
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Name(name) => f.write_str(name),
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Host::Address(address) => write!(f, "{address}"),
        }
    }
}

/// Why a text is no host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a name of letters, digits, `-`, `_` and `.`, or an address, is expected")]
pub struct ParseHostError;

impl FromStr for Host {
    type Err = ParseHostError;

    /// A name or an address; one of version 6 in brackets.
    fn from_str(text: &str) -> Result<Host, ParseHostError> {
        if let Some(inner) = text.strip_prefix('[') {
            let address = inner.strip_suffix(']').ok_or(ParseHostError)?;
            return match address.parse() {
                Ok(address) => Ok(Host::Address(IpAddr::V6(address))),
                Err(_) => Err(ParseHostError),
            };
        }
        if let Ok(address) = text.parse() {
            return Ok(Host::Address(IpAddr::V4(address)));
        }
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        let well_formed = |label: &str| {
            let of = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
            !label.is_empty() && label.len() <= 63 && label.bytes().all(of)
        };
        let last = name.rsplit('.').next().unwrap_or_default();
        // What ends in a number is an address to whoever looks it up: `127.1`, `0x7f000001`.
        let number = last.starts_with("0x") || last.bytes().all(|byte| byte.is_ascii_digit());
        if name.len() > 253 || number || !name.split('.').all(well_formed) {
            return Err(ParseHostError);
        }
        Ok(Host::Name(name))
    }
}

/// Hosts that may be reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostRule {
    which: Which,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Which {
    Any,
    /// every name that ends in this, which begins with a dot
    Below(String),
    One(Host),
}

/// Why a text is no rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseRuleError {
    /// What is before the port, or all of it, is no host.
    #[error(
        "{0:?} names no host: HOST or HOST:PORT is expected, where HOST is a name, an address ([..] for version 6), *.DOMAIN for all names below it, or * for every host"
    )]
    Host(String),
    /// What is behind the last colon is no port.
    #[error("port {port:?} of {text:?} is none: a number from 1 to 65535 is expected")]
    Port {
        /// the rule
        text: String,
        /// of it
        port: String,
    },
}

impl FromStr for HostRule {
    type Err = ParseRuleError;

    fn from_str(text: &str) -> Result<HostRule, ParseRuleError> {
        let wrong = || ParseRuleError::Host(text.to_owned());
        let (host, port) = match text.rsplit_once(':') {
            // A URL has no port of ours, and is no host.
            _ if text.contains('/') => (text, None),
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (text, None),
        };
        let which = if host == "*" {
            Which::Any
        } else if let Some(domain) = host.strip_prefix("*.") {
            match domain.parse() {
                Ok(Host::Name(name)) => Which::Below(format!(".{name}")),
                _ => return Err(wrong()),
            }
        } else {
            Which::One(host.parse().map_err(|_| wrong())?)
        };
        let number = |port: &str| match port.parse() {
            Ok(number) if number != 0 => Ok(number),
            _ => Err(ParseRuleError::Port {
                text: text.to_owned(),
                port: port.to_owned(),
            }),
        };
        let port = port.map(number).transpose()?;
        Ok(HostRule { which, port })
    }
}

impl HostRule {
    /// Whether it names `host` and `port`.
    pub fn names(&self, host: &Host, port: u16) -> bool {
        let host = match (&self.which, host) {
            (Which::Any, _) => true,
            (Which::Below(domain), Host::Name(name)) => name.ends_with(domain.as_str()),
            (Which::Below(_), Host::Address(_)) => false,
            (Which::One(one), host) => one == host,
        };
        host && self.port.map_or(PORTS.contains(&port), |one| one == port)
    }

    /// Whether it names the address `host` itself, whatever that is.
    pub(crate) fn is_address(&self, host: &Host) -> bool {
        matches!(host, Host::Address(_)) && matches!(&self.which, Which::One(one) if one == host)
    }
}

impl fmt::Display for HostRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.which {
            Which::Any => f.write_str("*")?,
            Which::Below(domain) => write!(f, "*{domain}")?,
            Which::One(host) => write!(f, "{host}")?,
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl TryFrom<String> for HostRule {
    type Error = ParseRuleError;

    fn try_from(text: String) -> Result<HostRule, ParseRuleError> {
        text.parse()
    }
}

impl From<HostRule> for String {
    fn from(rule: HostRule) -> String {
        rule.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(rule: &str, host: &str, port: u16) -> bool {
        let rule: HostRule = rule.parse().unwrap();
        rule.names(&host.parse().unwrap(), port)
    }

    #[test]
    fn a_rule_names_its_hosts_and_no_others() {
        assert!(names("Files.Example.org", "files.example.ORG.", 443));
        assert!(names("files.example.org", "files.example.org", 80));
        assert!(!names("files.example.org", "files.example.org", 22));
        assert!(!names("files.example.org", "example.org", 443));
        assert!(!names("files.example.org", "evil.files.example.org", 443));
        assert!(!names(
            "files.example.org",
            "files.example.org.evil.net",
            443
        ));
        assert!(names("*.example.org", "a.b.example.org", 443));
        assert!(!names("*.example.org", "example.org", 443));
        assert!(!names("*.example.org", "evilexample.org", 443));
        assert!(!names("*.example.org", "10.0.0.1", 443));
        assert!(names("a.org:8080", "a.org", 8080));
        assert!(!names("a.org:8080", "a.org", 443));
        assert!(names("10.0.0.1:5000", "10.0.0.1", 5000));
        assert!(names("[fd00::1]:5000", "[fd00:0::1]", 5000));
        assert!(names("[fd00::1]", "[fd00::1]", 443));
        assert!(names("*", "anything.at.all", 443) && !names("*", "anything.at.all", 25));
    }

    #[test]
    fn what_is_no_host_is_refused() {
        let long = "a".repeat(64);
        for text in [
            "",
            ".",
            "..",
            "a..b",
            "a b",
            "a/b",
            "a@b",
            "a:b",
            "[::1",
            "::1",
            "[::1]x",
            "127.1",
            "0x7f.1",
            "2130706433",
            "a.0x7f000001",
            "ä.org",
            "a\0b",
            "*.a",
            &*long,
            &"a.".repeat(128),
        ] {
            assert_eq!(text.parse::<Host>(), Err(ParseHostError), "{text:?}");
        }
        for text in [
            "",
            "*.",
            "a.*",
            "*a.org",
            "a.org:",
            "a.org:0",
            "a.org:65536",
            "*.10.0.0.1",
            "https://a.org",
            "a.org/x",
        ] {
            assert!(text.parse::<HostRule>().is_err(), "{text:?}");
        }
        for text in ["a.org:", "a.org:0", "a.org:65536", "*:x"] {
            let wrong = text.parse::<HostRule>();
            assert!(matches!(wrong, Err(ParseRuleError::Port { .. })), "{text}");
        }
        let url = "https://a.org".parse::<HostRule>();
        assert!(matches!(url, Err(ParseRuleError::Host(_))));
    }

    #[test]
    fn a_rule_is_printed_as_it_is_read() {
        for text in [
            "*",
            "*:8443",
            "*.example.org",
            "a.org:8080",
            "10.0.0.1",
            "[fd00::1]:5000",
        ] {
            assert_eq!(text.parse::<HostRule>().unwrap().to_string(), text);
        }
        let policy = Policy::new(["a.org"]).unwrap();
        let json = serde_json::to_string(&policy).unwrap();
        assert_eq!(serde_json::from_str::<Policy>(&json).unwrap(), policy);
    }
}
