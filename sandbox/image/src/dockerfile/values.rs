//! Ports, durations, signals, owners, modes, digests: the values that are checked before anything runs.

/// `8080`, `8080/udp`, `8000-8010/tcp` as single ports with a protocol.
///
/// # Errors
/// What was found instead.
pub(super) fn ports(text: &str) -> Result<Vec<String>, String> {
    let (range, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol = protocol.to_ascii_lowercase();
    if !matches!(protocol.as_str(), "tcp" | "udp" | "sctp") {
        return Err(format!("the protocol {protocol:?}"));
    }
    let port = |text: &str| match text.parse::<u16>() {
        Ok(port) if text.bytes().all(|b| b.is_ascii_digit()) => Ok(port),
        _ => Err(format!("the port {text:?}")),
    };
    let (first, last) = match range.split_once('-') {
        Some((first, last)) => (port(first)?, port(last)?),
        None => (port(range)?, port(range)?),
    };
    if first > last {
        return Err(format!("a range from {first} down to {last}"));
    }
    Ok((first..=last).map(|p| format!("{p}/{protocol}")).collect())
}

/// `1h30m`, `1.5s`, `100ms` in nanoseconds; 0, or at least one millisecond.
pub(super) fn duration_ns(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, f64); 7] = [
        ("ns", 1.0),
        ("us", 1e3),
        ("µs", 1e3),
        ("ms", 1e6),
        ("s", 1e9),
        ("m", 60e9),
        ("h", 3600e9),
    ];
    let wrong = || format!("{text:?}, a duration such as 30s or 1m30s was expected");
    if text == "0" {
        return Ok(0);
    }
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    let mut total = 0.0;
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.');
        let (number, tail) = rest.split_at(digits.ok_or_else(wrong)?);
        let end = tail.find(|c: char| c.is_ascii_digit() || c == '.');
        let (unit, tail) = tail.split_at(end.unwrap_or(tail.len()));
        let factor = UNITS
            .iter()
            .find(|(name, _)| *name == unit)
            .ok_or_else(wrong)?
            .1;
        total += number.parse::<f64>().map_err(|_| wrong())? * factor;
        rest = tail;
    }
    match total {
        t if t >= 9.2e18 => Err(format!("{text:?}, which is longer than 292 years")),
        t if t != 0.0 && t < 1e6 => Err(format!("{text:?}, at least 1ms was expected")),
        t => Ok(t as u64),
    }
}

/// A signal by number or name, with or without `SIG`.
pub(super) fn is_signal(text: &str) -> bool {
    const NAMES: [&str; 33] = [
        "ABRT", "ALRM", "BUS", "CHLD", "CLD", "CONT", "FPE", "HUP", "ILL", "INT", "IO", "IOT",
        "KILL", "PIPE", "POLL", "PROF", "PWR", "QUIT", "SEGV", "STKFLT", "STOP", "SYS", "TERM",
        "TRAP", "TSTP", "TTIN", "TTOU", "URG", "USR1", "USR2", "VTALRM", "WINCH", "XCPU",
    ];
    if let Ok(number) = text.parse::<u32>() {
        return (1..=64).contains(&number);
    }
    let name = text.to_ascii_uppercase();
    let name = name.strip_prefix("SIG").unwrap_or(&name);
    let offset = |prefix: &str, most: u32| {
        name.strip_prefix(prefix)
            .is_some_and(|n| n.is_empty() || n[1..].parse::<u32>().is_ok_and(|n| n <= most))
    };
    NAMES.contains(&name)
        || name == "XFSZ"
        || (name.starts_with("RTMIN")
            && (name == "RTMIN" || name.starts_with("RTMIN+"))
            && offset("RTMIN", 15))
        || (name.starts_with("RTMAX")
            && (name == "RTMAX" || name.starts_with("RTMAX-"))
            && offset("RTMAX", 14))
}

/// Octal permissions: up to `07777`.
pub(super) fn mode(text: &str) -> Result<u32, String> {
    match u32::from_str_radix(text, 8) {
        Ok(mode) if mode <= 0o7777 && !text.starts_with('+') => Ok(mode),
        _ => Err(format!("the mode {text:?}")),
    }
}

/// `user`, `user:group`, by name or number.
pub(super) fn is_owner(text: &str) -> bool {
    let part = |p: &str| {
        !p.is_empty()
            && p.len() <= 256
            && p.chars()
                .all(|c| c.is_alphanumeric() || "._-$@\\".contains(c))
    };
    let (user, group) = text.split_once(':').unwrap_or((text, text));
    part(user) && part(group)
}

/// `sha256:` and 64 digits.
pub(super) fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(|hex| {
        hex.len() == 64 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// Bytes, with `k`, `m`, `g` for powers of 1024.
pub(super) fn size_bytes(text: &str) -> Result<u64, String> {
    let wrong = || format!("the size {text:?}");
    let lower = text.to_ascii_lowercase();
    let bare = lower.trim_end_matches('b').trim_end_matches('i');
    let (number, shift) = match bare.chars().next_back() {
        Some('k') => (&bare[..bare.len() - 1], 10),
        Some('m') => (&bare[..bare.len() - 1], 20),
        Some('g') => (&bare[..bare.len() - 1], 30),
        Some('t') => (&bare[..bare.len() - 1], 40),
        _ => (bare, 0),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number.checked_mul(1 << shift).ok_or_else(wrong)
}

/// An absolute path without `.`, `..` and doubled slashes, `path` taken from `directory`; never above the root.
pub(super) fn absolute(directory: &str, path: &str) -> String {
    let whole = match path.starts_with('/') {
        true => path.to_owned(),
        false => format!("{directory}/{path}"),
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in whole.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}
