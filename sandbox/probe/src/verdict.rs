//! Answers, as JSON.

/// How far an attack came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Got {
    /// nowhere
    Refused,
    /// it worked
    Allowed,
    /// it worked, and reached nothing but what is the job's own
    Contained,
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    got: Got,
    detail: String,
}

impl Verdict {
    pub(crate) fn refused(detail: impl Into<String>) -> Verdict {
        Verdict {
            got: Got::Refused,
            detail: detail.into(),
        }
    }

    pub(crate) fn allowed(detail: impl Into<String>) -> Verdict {
        Verdict {
            got: Got::Allowed,
            detail: detail.into(),
        }
    }

    pub(crate) fn contained(detail: impl Into<String>) -> Verdict {
        Verdict {
            got: Got::Contained,
            detail: detail.into(),
        }
    }

    /// Refused where nothing of what was tried worked; else what did.
    pub(crate) fn of_successes(successes: Vec<String>) -> Verdict {
        match successes.is_empty() {
            true => Verdict::refused("none"),
            false => {
                let more = successes.len().saturating_sub(12);
                let mut text = successes[..successes.len() - more].join(", ");
                if more > 0 {
                    text = format!("{text}, and {more} more");
                }
                Verdict::allowed(text)
            }
        }
    }

    /// As it goes through a pipe.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let letter = match self.got {
            Got::Refused => b'r',
            Got::Allowed => b'a',
            Got::Contained => b'c',
        };
        [&[letter], self.detail.as_bytes()].concat()
    }

    /// The other way.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Verdict> {
        let (letter, detail) = bytes.split_first()?;
        let got = match letter {
            b'r' => Got::Refused,
            b'a' => Got::Allowed,
            b'c' => Got::Contained,
            _ => return None,
        };
        Some(Verdict {
            got,
            detail: String::from_utf8_lossy(detail).into_owned(),
        })
    }

    /// One line.
    pub(crate) fn json(&self, attack: &str) -> String {
        let got = match self.got {
            Got::Refused => "refused",
            Got::Allowed => "allowed",
            Got::Contained => "contained",
        };
        format!(
            r#"{{"attack":{},"got":"{got}","detail":{}}}"#,
            quoted(attack),
            quoted(&self.detail)
        )
    }
}

fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            character if (character as u32) < 0x20 => {
                out.push_str(&format!("\\u{:04x}", character as u32));
            }
            character => out.push(character),
        }
    }
    out.push('"');
    out
}
