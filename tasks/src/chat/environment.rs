//! The template engine, set up as transformers sets Jinja2 up, with the differences between the two engines
//! corrected where chat templates touch them.

use super::date::TemplateDate;
use super::tojson::tojson;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, ValueKind};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, State, UndefinedBehavior, Value};
use std::fmt;

pub(super) const TEMPLATE_NAME: &str = "chat";

/// What `raise_exception` was told, as the source of the engine's error.
#[derive(Debug)]
pub(super) struct RaisedByTemplate(pub(super) String);

impl fmt::Display for RaisedByTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for RaisedByTemplate {}

pub(super) fn build(
    source: &str,
    date: TemplateDate,
    fuel: u64,
) -> Result<Environment<'static>, Error> {
    let mut env = Environment::new();
    env.set_syntax(
        SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build()?,
    );
    env.set_undefined_behavior(UndefinedBehavior::Lenient);
    env.set_auto_escape_callback(|_| AutoEscape::None);
    env.set_fuel(Some(fuel));
    env.set_unknown_method_callback(unknown_method);
    env.add_function(
        "raise_exception",
        |message: Value| -> Result<Value, Error> {
            Err(Error::new(ErrorKind::InvalidOperation, "raise_exception")
                .with_source(RaisedByTemplate(message.to_string())))
        },
    );
    env.add_function("strftime_now", move |format: &str| date.strftime(format));
    env.add_filter(
        "tojson",
        |value: &Value, ensure_ascii: Option<Value>, kwargs: Kwargs| {
            tojson(value, ensure_ascii, &kwargs)
        },
    );
    // Jinja2 calls anything with a length and an index a sequence, text and mappings too, and nothing can be
    // iterated over that is None.
    env.add_test("sequence", |value: &Value| {
        matches!(
            value.kind(),
            ValueKind::Seq | ValueKind::Map | ValueKind::String | ValueKind::Bytes
        )
    });
    env.add_test("iterable", |value: &Value| {
        !value.is_none() && value.try_iter().is_ok()
    });
    if let Some(at) = adds_to_safe_text(source) {
        return Err(Error::new(
            ErrorKind::SyntaxError,
            format!(
                "line {at} adds text to `|safe` text; Jinja2 escapes what is added, and that is not supported here"
            ),
        ));
    }
    env.add_template_owned(TEMPLATE_NAME, scope_generation_blocks(source))?;
    Ok(env)
}

fn unknown_method(
    state: &mut State,
    value: &Value,
    method: &str,
    args: &[Value],
) -> Result<Value, Error> {
    minijinja_contrib::pycompat::unknown_method_callback(state, value, method, args)
}

/// Rewrites `{% generation %}` to an empty `{% with %}`. In transformers the block marks which text is the
/// assistant's; its body is rendered as it is, in a scope of its own, which is what `with` does.
fn scope_generation_blocks(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(open) = rest.find("{%") {
        // The `%` of `{%}` opens and cannot close as well.
        let Some(close) = rest[open + 2..].find("%}").map(|at| open + 2 + at) else {
            break;
        };
        let inner = &rest[open + 2..close];
        let lead = inner.starts_with(['-', '+']);
        let trail = inner.len() > 1 && inner.ends_with(['-', '+']);
        let word = inner[usize::from(lead)..inner.len() - usize::from(trail)].trim();
        let replacement = match word {
            "generation" => "with",
            "endgeneration" => "endwith",
            _ => {
                out.push_str(&rest[..open + 2]);
                rest = &rest[open + 2..];
                continue;
            }
        };
        out.push_str(&rest[..open + 2]);
        out.push_str(if lead { &inner[..1] } else { "" });
        out.push(' ');
        out.push_str(replacement);
        out.push(' ');
        out.push_str(if trail { &inner[inner.len() - 1..] } else { "" });
        out.push_str("%}");
        rest = &rest[close + 2..];
    }
    out.push_str(rest);
    out
}

/// The line of the first `| safe +`. Jinja2 escapes the other operand there even without autoescaping; this engine
/// does not, so the rendering would differ.
fn adds_to_safe_text(source: &str) -> Option<usize> {
    source.match_indices('|').find_map(|(at, _)| {
        let rest = source[at + 1..]
            .trim_start()
            .strip_prefix("safe")?
            .trim_start();
        rest.starts_with('+')
            .then(|| 1 + source[..at].matches('\n').count())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percent_sign_does_not_open_and_close_a_block_at_once() {
        let source = "{% for m in message{%}{{ s% for m in mess{%";
        assert_eq!(scope_generation_blocks(source), source);
    }

    #[test]
    fn generation_tags_become_scopes_and_keep_their_whitespace_marks() {
        for (source, expected) in [
            (
                "a{% generation %}b{% endgeneration %}c",
                "a{% with %}b{% endwith %}c",
            ),
            (
                "{%- generation -%}{%- endgeneration +%}",
                "{%- with -%}{%- endwith +%}",
            ),
            (
                "{%generation%}x{%endgeneration%}",
                "{% with %}x{% endwith %}",
            ),
            (
                "{% if add_generation_prompt %}x{% endif %} {%",
                "{% if add_generation_prompt %}x{% endif %} {%",
            ),
            ("{{ '{% generation' }}", "{{ '{% generation' }}"),
        ] {
            assert_eq!(scope_generation_blocks(source), expected);
        }
    }

    #[test]
    fn adding_to_safe_text_is_found() {
        assert_eq!(adds_to_safe_text("a\n{{ 'x' | safe + y }}"), Some(2));
        assert_eq!(adds_to_safe_text("{{ x|safe }} + {{ x|safe ~ y }}"), None);
    }
}
