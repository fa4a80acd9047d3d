//! Configurations of images: as a Dockerfile changes them, and as OCI writes them.

use gradus_image::Digest;
use gradus_image::dockerfile::{Healthcheck, ImageConfig, Platform};
use gradus_image::layout::{self, History, RootFs, RunConfig};

/// Triggers that some images carry, where OCI's configuration has no name for them.
const ON_BUILD: &str = "OnBuild";

/// What a Dockerfile reads of an image.
pub(crate) fn to_dockerfile(config: &layout::ImageConfig) -> ImageConfig {
    let run = &config.config;
    let pair = |text: &String| {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        (name.to_owned(), value.to_owned())
    };
    let triggers = run.extra.get(ON_BUILD).and_then(|value| value.as_array());
    ImageConfig {
        env: run.env.iter().map(pair).collect(),
        working_dir: run.working_dir.clone(),
        user: run.user.clone(),
        shell: run.shell.clone(),
        labels: run.labels.clone(),
        exposed_ports: run.exposed_ports.clone(),
        volumes: run.volumes.clone(),
        entrypoint: run.entrypoint.clone(),
        cmd: run.cmd.clone(),
        healthcheck: run.healthcheck.as_ref().map(|check| Healthcheck {
            test: check.test.clone().unwrap_or_default(),
            interval_ns: positive(check.interval),
            timeout_ns: positive(check.timeout),
            start_period_ns: positive(check.start_period),
            start_interval_ns: positive(check.start_interval),
            retries: u32::try_from(positive(check.retries)).unwrap_or(u32::MAX),
        }),
        stop_signal: run.stop_signal.clone(),
        author: config.author.clone(),
        on_build: triggers
            .into_iter()
            .flatten()
            .filter_map(|trigger| trigger.as_str().map(str::to_owned))
            .collect(),
    }
}

/// What OCI writes: what the base says that a Dockerfile does not know is kept.
pub(crate) fn to_oci(
    base: Option<&layout::ImageConfig>,
    config: &ImageConfig,
    platform: &Platform,
    diff_ids: Vec<Digest>,
    history: Vec<History>,
    created: String,
) -> layout::ImageConfig {
    let mut image = base.cloned().unwrap_or_else(|| {
        layout::ImageConfig::new(layout::Platform {
            architecture: platform.arch.clone(),
            os: platform.os.clone(),
            variant: platform.variant.clone(),
        })
    });
    let number = |ns: u64| (ns > 0).then(|| i64::try_from(ns).unwrap_or(i64::MAX));
    image.config = RunConfig {
        env: config
            .env
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect(),
        entrypoint: config.entrypoint.clone(),
        cmd: config.cmd.clone(),
        working_dir: config.working_dir.clone(),
        user: config.user.clone(),
        exposed_ports: config.exposed_ports.clone(),
        volumes: config.volumes.clone(),
        labels: config.labels.clone(),
        stop_signal: config.stop_signal.clone(),
        healthcheck: config
            .healthcheck
            .as_ref()
            .map(|check| layout::Healthcheck {
                test: Some(check.test.clone()),
                interval: number(check.interval_ns),
                timeout: number(check.timeout_ns),
                start_period: number(check.start_period_ns),
                start_interval: number(check.start_interval_ns),
                retries: number(check.retries.into()),
                ..layout::Healthcheck::default()
            }),
        shell: config.shell.clone(),
        extra: image.config.extra,
    };
    image.author = config.author.clone();
    image.created = Some(created);
    image.rootfs = RootFs::new(diff_ids);
    image.history = history;
    image
}

fn positive(number: Option<i64>) -> u64 {
    number
        .and_then(|number| u64::try_from(number).ok())
        .unwrap_or(0)
}

/// Seconds since 1970 as RFC 3339 has them.
pub(crate) fn rfc3339(epoch_s: u64) -> String {
    let (days, second) = (epoch_s / 86_400, epoch_s % 86_400);
    // From March on a year's months have a pattern; 400 years have 146,097 days.
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march + 2) / 5 + 1;
    let month = if march < 10 { march + 3 } else { march - 9 };
    let year = era * 400 + year + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_date() {
        // By `date -u -d @N +%FT%TZ`.
        for (epoch, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (315_619_200, "1980-01-02T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_210_096, "2024-02-29T12:34:56Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(rfc3339(epoch), text);
        }
    }

    #[test]
    fn what_a_base_says_survives_a_build_of_nothing() {
        let json = br#"{"architecture":"amd64","os":"linux","author":"me","config":{"Env":["A=1","B=x=y"],"Cmd":["c"],"User":"u:g",
            "ExposedPorts":{"1/tcp":{}},"Labels":{"l":"v"},"Healthcheck":{"Test":["CMD","x"],"Interval":5,"Retries":2},"ArgsEscaped":true},
            "rootfs":{"type":"layers","diff_ids":[]},"os.version":"1"}"#;
        let base = layout::ImageConfig::parse(json).unwrap();
        let config = to_dockerfile(&base);
        assert_eq!(config.env[1], ("B".to_owned(), "x=y".to_owned()));
        let created = base.created.clone().unwrap_or_default();
        let mut again = to_oci(
            Some(&base),
            &config,
            &Platform::default(),
            Vec::new(),
            Vec::new(),
            created,
        );
        again.created = None;
        assert_eq!(again, base);
    }
}
