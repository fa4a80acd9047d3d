//! When tournaments start: the section `[schedule]` of a rule set.

use super::shape::Broken;
use crate::weights::TournamentType;
use serde::{Deserialize, Serialize};

/// When tournaments start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case", deny_unknown_fields)]
pub enum ScheduleRules {
    /// So long after the last one of the type completed.
    Interval {
        /// Hours.
        hours: u32,
    },
    /// Once a week, in a window.
    Weekly {
        /// How long after its time a tournament may still start, minutes.
        window_minutes: u32,
        /// Text tournaments.
        text: WeeklyStart,
        /// Image tournaments.
        image: WeeklyStart,
        /// Environment tournaments.
        environment: WeeklyStart,
    },
}

/// A time of the week.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeeklyStart {
    /// The day.
    pub weekday: Weekday,
    /// `HH:MM`, UTC.
    pub time_utc: String,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weekday {
    /// The first.
    Monday,
    /// The second.
    Tuesday,
    /// The third.
    Wednesday,
    /// The fourth.
    Thursday,
    /// The fifth.
    Friday,
    /// The sixth.
    Saturday,
    /// The last.
    Sunday,
}

impl WeeklyStart {
    /// Seconds since the week began, Monday at midnight; none if the time is no time.
    pub fn second_of_week(&self) -> Option<i64> {
        let (hour, minute) = self.time_utc.split_once(':')?;
        let number = |text: &str, end: i64| {
            let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
            let value: i64 = digits.then(|| text.parse().ok())??;
            (value < end).then_some(value)
        };
        let minutes = number(hour, 24)? * 60 + number(minute, 60)?;
        Some(self.weekday as i64 * 86_400 + minutes * 60)
    }
}

impl ScheduleRules {
    pub(super) fn broken(&self) -> Option<Broken> {
        let Self::Weekly {
            text,
            image,
            environment,
            ..
        } = self
        else {
            return None;
        };
        [
            ("schedule.text.time_utc", text),
            ("schedule.image.time_utc", image),
            ("schedule.environment.time_utc", environment),
        ]
        .into_iter()
        .find(|(_, start)| start.second_of_week().is_none())
        .map(|(field, start)| (field, start.time_utc.clone(), "HH:MM, 00:00 to 23:59"))
    }

    /// The time of the week of one type, where there is one.
    pub(crate) fn weekly(&self, tournament: TournamentType) -> Option<(&WeeklyStart, u32)> {
        let Self::Weekly {
            window_minutes,
            text,
            image,
            environment,
        } = self
        else {
            return None;
        };
        let start = match tournament {
            TournamentType::Text => text,
            TournamentType::Image => image,
            TournamentType::Environment => environment,
        };
        Some((start, *window_minutes))
    }
}
