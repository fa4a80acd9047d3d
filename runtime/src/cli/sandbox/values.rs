//! Values of options: what can be told of them without looking at anything.

use gradus_builder::full_name;
use gradus_egress::policy::HostRule;
use gradus_sandbox::job::ScratchKind;
use gradus_sandbox::state::StateError;
use std::str::FromStr;
use std::time::Duration;

/// `LEFT:RIGHT`, the right part absolute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// what is before the last colon
    pub left: String,
    /// what is behind it
    pub inside: String,
}

impl FromStr for Pair {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.rsplit_once(':') {
            Some((left, inside)) if !left.is_empty() && inside.starts_with('/') => Ok(Self {
                left: left.to_owned(),
                inside: inside.to_owned(),
            }),
            _ => Err(format!(
                "{text:?}: two parts with `:` between are expected, the second an absolute path inside"
            )),
        }
    }
}

pub(super) fn parse_time(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?}: a number with ms, s, m or h is expected, such as 90s");
    let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(wrong()),
    };
    number
        .checked_mul(millis)
        .map(Duration::from_millis)
        .ok_or_else(wrong)
}

pub(super) fn parse_cpus(text: &str) -> Result<u64, String> {
    match text.parse::<f64>() {
        Ok(cpus) if (0.01..=4096.0).contains(&cpus) => Ok((cpus * 1000.0).round() as u64),
        _ => Err(format!("{text:?}: a number from 0.01 to 4096 is expected")),
    }
}

pub(super) fn parse_scratch(text: &str) -> Result<ScratchKind, String> {
    match text {
        "auto" => Ok(ScratchKind::Auto),
        "disk" => Ok(ScratchKind::Disk),
        "memory" => Ok(ScratchKind::Memory),
        "quota" => Ok(ScratchKind::Quota),
        _ => Err(format!("{text:?}: auto, disk, memory or quota is expected")),
    }
}

pub(super) fn parse_user(text: &str) -> Result<(u32, u32), String> {
    let (uid, gid) = text.split_once(':').unwrap_or((text, text));
    let number = |text: &str| match text.parse::<u32>() {
        Ok(id) if id < 65_536 => Ok(id),
        _ => Err(format!("{text:?}: a number below 65536 is expected")),
    };
    Ok((number(uid)?, number(gid)?))
}

/// Processes that a kernel can have.
pub(super) const PIDS_MAX: u64 = 4 << 20;

/// Files that a file system of ours can have.
pub(super) const INODES_MAX: u64 = u32::MAX as u64;

/// `0-3,8`. Whether a host has them is another question.
pub(super) fn parse_cpuset(text: &str) -> Result<String, String> {
    let number = |text: &str| text.parse::<u16>().ok();
    let fits = text.split(',').all(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        matches!((number(first), number(last)), (Some(first), Some(last)) if first <= last)
    });
    match fits {
        true => Ok(text.to_owned()),
        false => Err("numbers and ranges of them are expected, such as 0-3,8".to_owned()),
    }
}

/// An output's name, and where it is inside.
pub(super) fn parse_output(text: &str) -> Result<Pair, String> {
    let pair: Pair = text.parse()?;
    match gradus_sandbox::state::is_name(&pair.left) {
        true => Ok(pair),
        false => Err(format!(
            "{:?} is no output's name: lower-case letters, digits and `-` are expected",
            pair.left
        )),
    }
}

/// `HOST[:PORT]`, one of them.
pub(super) fn parse_server(text: &str) -> Result<String, String> {
    match text.parse::<HostRule>() {
        Ok(_) if !text.contains('*') => Ok(text.to_owned()),
        Ok(_) => Err("one server is expected, HOST or HOST:PORT".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// A job's name.
pub(super) fn parse_job(text: &str) -> Result<String, String> {
    match gradus_sandbox::state::is_name(text) {
        true => Ok(text.to_owned()),
        false => Err(StateError::Name(text.to_owned()).to_string()),
    }
}

/// An image by name or digest.
pub(super) fn parse_image(text: &str) -> Result<String, String> {
    let digest = text.rsplit_once('@').map_or(text, |(_, digest)| digest);
    match digest.parse::<gradus_image::Digest>() {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => full_name(text).map(|_| text.to_owned()),
    }
}

/// A name that an image gets, in full.
pub(super) fn parse_tag(text: &str) -> Result<String, String> {
    full_name(text)
}

/// `NAME=VALUE`.
pub(super) fn parse_variable(text: &str) -> Result<String, String> {
    match text.split_once('=') {
        Some((name, _)) if !name.is_empty() => Ok(text.to_owned()),
        _ => Err("NAME=VALUE is expected".to_owned()),
    }
}

/// A path inside.
pub(super) fn parse_inside(text: &str) -> Result<String, String> {
    match text.starts_with('/') {
        true => Ok(text.to_owned()),
        false => Err("an absolute path inside is expected".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit() {
        assert_eq!(parse_time("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_time("2h"), Ok(Duration::from_secs(7200)));
        assert_eq!(parse_time("5ms"), Ok(Duration::from_millis(5)));
        for wrong in [
            "90",
            "s",
            "",
            "1d",
            "99999999999999999999s",
            "18446744073709551615h",
        ] {
            assert!(parse_time(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn pairs_are_cut_at_the_last_colon() {
        let pair = "a:b:/c".parse::<Pair>().expect("two parts");
        assert_eq!((pair.left.as_str(), pair.inside.as_str()), ("a:b", "/c"));
        for wrong in ["a", ":/b", "a:b", ""] {
            assert!(wrong.parse::<Pair>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn names_of_jobs_images_and_variables_are_checked_before_anything_is_tried() {
        assert_eq!(parse_job("a-1").as_deref(), Ok("a-1"));
        for wrong in ["", "A", "a b", "-a", "..", "a/b"] {
            assert!(parse_job(wrong).is_err(), "{wrong:?}");
        }
        let digest = format!("sha256:{}", "0".repeat(64));
        for image in ["debian:12", &digest, &format!("debian@{digest}")] {
            assert_eq!(parse_image(image).as_deref(), Ok(image));
        }
        assert!(parse_image("A B").is_err() && parse_image("").is_err());
        assert!(parse_variable("A=").is_ok() && parse_variable("=A").is_err());
        assert!(parse_variable("A").is_err() && parse_inside("tmp").is_err());
    }

    #[test]
    fn users_and_processors_are_numbers_in_range() {
        assert_eq!(parse_user("7"), Ok((7, 7)));
        assert_eq!(parse_user("7:8"), Ok((7, 8)));
        assert!(parse_user("65536").is_err() && parse_user("root").is_err());
        assert_eq!(parse_cpus("1.5"), Ok(1500));
        assert!(parse_cpus("0").is_err() && parse_cpus("NaN").is_err());
    }
}
