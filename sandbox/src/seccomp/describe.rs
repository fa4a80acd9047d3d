//! A policy as text: every rule with its reason, in the order of the file, the same on every machine.

use std::fmt;

use serde::Serialize;

use super::policy::{Answer, Argument, Case, Policy};

/// What a policy says, for readers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Description {
    /// the policy's name
    pub policy: String,
    /// its rules
    pub rules: Vec<Rule>,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// what happens
    pub effect: Effect,
    /// what the calls have in common, or the call itself
    pub about: String,
    /// the calls
    pub calls: Vec<String>,
    /// why
    pub reason: String,
    /// the arguments for which it holds, where not for all: each as text, and why
    pub cases: Vec<(String, String)>,
}

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// it is made
    Allowed,
    /// it is made for some arguments, and answers EPERM for all others
    AllowedFor,
    /// it answers EPERM
    Eperm,
    /// it answers ENOSYS
    Enosys,
}

impl Policy {
    /// The policy's rules, for readers.
    #[must_use]
    pub fn describe(&self) -> Description {
        let rule = |effect, about: &str, calls: &[String], reason: &str| Rule {
            effect,
            about: about.to_owned(),
            calls: calls.to_vec(),
            reason: reason.to_owned(),
            cases: Vec::new(),
        };
        let allow = self
            .allow
            .iter()
            .map(|it| rule(Effect::Allowed, &it.group, &it.calls, &it.reason));
        let when = self.when.iter().map(|it| Rule {
            cases: it
                .case
                .iter()
                .map(|case| (case.to_string(), case.reason.clone()))
                .collect(),
            ..rule(
                Effect::AllowedFor,
                &it.call,
                std::slice::from_ref(&it.call),
                &it.reason,
            )
        });
        let deny = self.deny.iter().map(|it| {
            let effect = match it.answer {
                Answer::Eperm => Effect::Eperm,
                Answer::Enosys => Effect::Enosys,
            };
            rule(effect, &it.group, &it.calls, &it.reason)
        });
        Description {
            policy: self.name.clone(),
            rules: allow.chain(when).chain(deny).collect(),
        }
    }
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "system calls: policy {}", self.policy)?;
        for rule in &self.rules {
            let effect = match rule.effect {
                Effect::Allowed => "allowed",
                Effect::AllowedFor => "allowed for some arguments, else EPERM",
                Effect::Eperm => "EPERM",
                Effect::Enosys => "ENOSYS",
            };
            writeln!(f, "{effect}: {} ({})", rule.about, rule.reason)?;
            if rule.cases.is_empty() {
                writeln!(f, "    {}", rule.calls.join(" "))?;
            }
            for (arguments, reason) in &rule.cases {
                writeln!(f, "    {arguments}: {reason}")?;
            }
        }
        writeln!(f, "ENOSYS: every call that is not named here")?;
        writeln!(f, "killed: calls of another architecture")
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, argument) in self.arguments.iter().enumerate() {
            write!(f, "{}{argument}", if position == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

impl fmt::Display for Argument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "argument {}", self.index)?;
        if self.mask != u32::MAX {
            write!(f, " & {:#x}", self.mask)?;
        }
        let values: Vec<String> = self.is.iter().map(|value| format!("{value:#x}")).collect();
        write!(f, " is {}", values.join(" | "))
    }
}
