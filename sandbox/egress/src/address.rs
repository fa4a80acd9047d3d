//! Which addresses are the world's, and which are somebody's own.
//!
//! A name that anybody owns may lead to any address: to a service of this machine, of its neighbours, or to the metadata of a cloud with
//! credentials in it. So a name is looked up once, and what it leads to is judged.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether `address` is reachable for the world: none that IANA's registries of special addresses set aside.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// First address, and length of the prefix.
const SPECIAL_V4: [(Ipv4Addr, u32); 15] = [
    // This network.
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    // Private use.
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    // Behind a provider's translation; some clouds' services.
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    // This machine.
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    // This link; clouds' metadata.
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    // Private use.
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    // Protocol assignments.
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    // Documentation.
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    // Relays to version 6.
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    // Private use.
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    // Tests of devices.
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    // Documentation.
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    // Groups.
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    // Reserved; broadcast.
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

fn is_public_v4(address: Ipv4Addr) -> bool {
    !SPECIAL_V4.iter().any(|(first, length)| {
        let mask = u32::MAX << (32 - length);
        address.to_bits() & mask == first.to_bits()
    })
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    match segments {
        // An address of version 4, as a network without them has it.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            is_public_v4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
        }
        // Protocol assignments and tunnels, documentation, tunnels by an address of version 4.
        [0x2001, second, ..] if second < 0x200 || second == 0xdb8 => false,
        [0x2002, ..] => false,
        [0x3fff, second, ..] if second < 0x1000 => false,
        // All that has been given out.
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `ipaddress` of Python 3.11 says (`is_global and not is_multicast`), but for what it takes for the world's all the same: relays and
    /// tunnels between the versions (192.88.99.0/24, 2002::/16, 64:ff9b::/96 around an own address, 64:ff9b:1::/48, mapped and compatible
    /// addresses), fec0::/10, which RFC 3879 gave up, 3fff::/20 (RFC 9637) and 5f00::/16 (RFC 9602).
    #[test]
    fn special_addresses_are_not_the_worlds() {
        let own = "0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.127.255.255 127.0.0.1 127.255.255.255 169.254.169.254
            172.16.0.1 172.31.255.255 192.0.0.1 192.0.2.1 192.88.99.1 192.168.0.1 192.168.255.255 198.18.0.1 198.19.255.255 198.51.100.7
            203.0.113.9 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 :: ::1 ::ffff:8.8.8.8 ::ffff:127.0.0.1 ::8.8.8.8 fe80::1
            fec0::1 fc00::1 fd00:ec2::254 ff02::1 2001::1 2001:db8::1 2002:7f00:1::1 2002:808:808::1 3fff::1 3fff:fff::1 64:ff9b::7f00:1
            64:ff9b::a9fe:a9fe 64:ff9b:1::808:808 100::1 5f00::1";
        for text in own.split_whitespace() {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
        let worlds = "1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 169.253.255.255
            169.255.0.0 172.15.255.255 172.32.0.0 192.0.1.0 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0 223.255.255.255
            2001:200::1 2001:4860:4860::8888 2606:4700::1111 2a00:1450::1 3fff:1000::1 64:ff9b::808:808";
        for text in worlds.split_whitespace() {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
    }
}
