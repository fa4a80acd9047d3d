//! Which addresses may be reached.
//!
//! Miners name registries and repositories. What they name is asked from inside the operator's network, so a name that leads to a private
//! address, by itself or by a redirect, would make this program knock at doors that are closed to miners. Names that the operator trusts may
//! lead anywhere. The address that was looked at is the one that is connected to: nothing is resolved twice. Where a proxy of the environment
//! is used, it resolves names, and what it lets through is its own affair.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use super::authorities::Authorities;
use super::door::Door;

/// Which servers may be reached, and who has to vouch for them.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    /// servers that may lie at addresses which only this machine or its network can reach
    trusted: Vec<String>,
    door: Option<Arc<dyn Door>>,
    authorities: Authorities,
}

/// A name that is not trusted leads to a private address.
#[derive(Debug, thiserror::Error)]
#[error("{host} leads to {address}, which is not public")]
pub(super) struct PrivateAddress {
    pub(super) host: String,
    pub(super) address: IpAddr,
}

impl Reach {
    /// Public addresses alone.
    pub fn public() -> Reach {
        Reach::default()
    }

    /// Also this server, wherever it lies: `host` with any port, `host:port` with that one.
    pub fn trust(mut self, server: &str) -> Reach {
        self.trusted.push(server.to_ascii_lowercase());
        self
    }

    /// What a door lets through, instead: it looks names up and judges addresses itself.
    pub fn through(self, door: Arc<dyn Door>) -> Reach {
        Reach {
            door: Some(door),
            ..self
        }
    }

    /// Servers that these vouch for.
    pub fn vouched_by(self, authorities: Authorities) -> Reach {
        Reach {
            authorities,
            ..self
        }
    }

    pub(super) fn door(&self) -> Option<&Arc<dyn Door>> {
        self.door.as_ref()
    }

    pub(super) fn authorities(&self) -> &Authorities {
        &self.authorities
    }

    /// Whether a server is trusted by name.
    pub fn trusts(&self, host: &str, port: u16) -> bool {
        let host = host.to_ascii_lowercase();
        let with_port = format!("{host}:{port}");
        self.trusted
            .iter()
            .any(|trusted| *trusted == host || *trusted == with_port)
    }
}

/// Whether everybody can reach an address.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || a == 0
        || a >= 224 // multicast, reserved, broadcast
        || (a == 100 && (64..128).contains(&b)) // shared by carriers
        || (a == 192 && b == 0 && c == 0) // protocols
        || (a == 198 && (18..20).contains(&b))) // benchmarks
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(inner) = address.to_ipv4() {
        // Mapped and compatible ones. `::` and `::1` are such, too.
        return is_public_v4(inner);
    }
    let segments = address.segments();
    let v4_below = |at: usize| {
        let [a, b] = segments[at].to_be_bytes();
        let [c, d] = segments[at + 1].to_be_bytes();
        Ipv4Addr::new(a, b, c, d)
    };
    match segments[0] {
        // Translated ones: the IPv4 address behind them counts.
        0x64 if segments[1] == 0xff9b => segments[2] == 0 && is_public_v4(v4_below(6)),
        0x2002 => is_public_v4(v4_below(1)),
        // Teredo, documentation, protocols.
        0x2001 => segments[1] >= 0x200 && segments[1] != 0xdb8,
        // Unicast that everybody can reach is 2000::/3, and nothing else.
        first => first & 0xe000 == 0x2000,
    }
}

/// Looks up names, and keeps to [`Reach`].
#[derive(Debug)]
pub(super) struct Filter {
    pub(super) reach: Reach,
}

impl Resolver for Filter {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        if self.reach.door().is_some() {
            return Ok(super::door::unresolved());
        }
        let found = DefaultResolver::default().resolve(uri, config, timeout)?;
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let allowed = |address: &SocketAddr| {
            is_public(address.ip()) || self.reach.trusts(host, address.port())
        };
        // One private address among public ones is refused as well: which is used is up to whoever owns the name.
        match found.iter().find(|address| !allowed(address)) {
            None => Ok(found),
            Some(address) => Err(Error::Other(Box::new(PrivateAddress {
                host: host.to_owned(),
                address: address.ip(),
            }))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_are_not_public_in_any_spelling() {
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "255.255.255.255",
            "224.0.0.1",
            "198.18.0.1",
            "192.0.0.1",
            "::",
            "::1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "64:ff9b::a00:1",
            "64:ff9b:1::1",
            "2002:a00:1::",
            "2001::1",
            "2001:db8::1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
        for public in [
            "1.1.1.1",
            "140.82.121.4",
            "172.32.0.1",
            "100.128.0.1",
            "2606:4700::1111",
            "2001:4860::1",
            "64:ff9b::101:101",
        ] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }

    #[test]
    fn trust_is_by_name_and_port() {
        let reach = Reach::public()
            .trust("Registry.internal")
            .trust("127.0.0.1:5000");
        assert!(reach.trusts("registry.INTERNAL", 443));
        assert!(reach.trusts("127.0.0.1", 5000));
        assert!(!reach.trusts("127.0.0.1", 5001));
        assert!(!reach.trusts("evil-registry.internal", 443));
    }
}
