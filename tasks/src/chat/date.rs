//! The day that templates are told, and Python's `strftime` on it.

/// A day, at midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TemplateDate {
    year: i32,
    month: u32,
    day: u32,
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

impl TemplateDate {
    /// Reads `YYYY-MM-DD`, years 1583 to 9999.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
        if (year.len(), month.len(), day.len()) != (4, 2, 2) || parts.next().is_some() {
            return None;
        }
        let date = Self {
            year: year.parse().ok()?,
            month: month.parse().ok()?,
            day: day.parse().ok()?,
        };
        let days = match date.month {
            4 | 6 | 9 | 11 => 30,
            2 if date.is_leap() => 29,
            2 => 28,
            1..=12 => 31,
            _ => return None,
        };
        (date.year >= 1583 && (1..=days).contains(&date.day)).then_some(date)
    }

    fn is_leap(self) -> bool {
        self.year % 4 == 0 && (self.year % 100 != 0 || self.year % 400 == 0)
    }

    /// 0 is Sunday. Zeller's congruence.
    fn weekday(self) -> usize {
        let (year, month) = if self.month < 3 {
            (self.year - 1, self.month + 12)
        } else {
            (self.year, self.month)
        };
        let century = year / 100;
        let within = year % 100;
        let day = self.day as i32
            + (13 * (month as i32 + 1)) / 5
            + within
            + within / 4
            + century / 4
            + 5 * century;
        ((day + 6) % 7) as usize
    }

    fn day_of_year(self) -> u32 {
        const BEFORE: [u32; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
        BEFORE[self.month as usize - 1] + self.day + u32::from(self.month > 2 && self.is_leap())
    }

    /// `datetime.strftime` in the C locale; a directive that is not known stays as it is.
    pub(super) fn strftime(self, format: &str) -> String {
        let mut out = String::new();
        let mut chars = format.chars();
        while let Some(c) = chars.next() {
            if c != '%' {
                out.push(c);
                continue;
            }
            let mut directive = chars.next();
            let plain = directive == Some('-');
            if plain {
                directive = chars.next();
            }
            let number = |value: u32, width: usize| {
                if plain {
                    value.to_string()
                } else {
                    format!("{value:0width$}")
                }
            };
            let month = MONTHS[self.month as usize - 1];
            let weekday = DAYS[self.weekday()];
            match directive {
                Some('Y') => out.push_str(&self.year.to_string()),
                Some('y') => out.push_str(&number(self.year.unsigned_abs() % 100, 2)),
                Some('m') => out.push_str(&number(self.month, 2)),
                Some('d') => out.push_str(&number(self.day, 2)),
                Some('e') => out.push_str(&format!("{:2}", self.day)),
                Some('j') => out.push_str(&number(self.day_of_year(), 3)),
                Some('B') => out.push_str(month),
                Some('b' | 'h') => out.push_str(&month[..3]),
                Some('A') => out.push_str(weekday),
                Some('a') => out.push_str(&weekday[..3]),
                Some('F') => {
                    out.push_str(&format!("{}-{:02}-{:02}", self.year, self.month, self.day))
                }
                Some('H' | 'M' | 'S') => out.push_str(&number(0, 2)),
                Some('I') => out.push_str(&number(12, 2)),
                Some('p') => out.push_str("AM"),
                Some('f') => out.push_str("000000"),
                Some('T' | 'X') => out.push_str("00:00:00"),
                Some('R') => out.push_str("00:00"),
                Some('D' | 'x') => {
                    out.push_str(&format!(
                        "{:02}/{:02}/{:02}",
                        self.month,
                        self.day,
                        self.year % 100
                    ));
                }
                Some('%') => out.push('%'),
                Some('Z' | 'z') => {}
                Some(other) => {
                    out.push_str(if plain { "%-" } else { "%" });
                    out.push(other);
                }
                None => out.push('%'),
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected texts are CPython's for the same days.
    #[test]
    fn days_are_written_as_cpython_writes_them() {
        let format = "%Y-%m-%d %d %b %Y|%A %a %B %-d %e %j %y %H:%M:%S %I %p %%";
        let write = |day: &str| TemplateDate::parse(day).unwrap().strftime(format);
        assert_eq!(
            write("2024-07-26"),
            "2024-07-26 26 Jul 2024|Friday Fri July 26 26 208 24 00:00:00 12 AM %"
        );
        assert_eq!(
            write("2000-02-29"),
            "2000-02-29 29 Feb 2000|Tuesday Tue February 29 29 060 00 00:00:00 12 AM %"
        );
        assert_eq!(
            write("2026-01-04"),
            "2026-01-04 04 Jan 2026|Sunday Sun January 4  4 004 26 00:00:00 12 AM %"
        );
        for bad in [
            "2023-02-29",
            "2023-13-01",
            "2023-1-01",
            "0999-01-01",
            "2023-01-01-01",
            "x",
        ] {
            assert_eq!(TemplateDate::parse(bad), None, "{bad}");
        }
    }
}
