//! Text on the page: escaping, numbers, names.

use crate::printable::{printable, shortened};
use std::fmt::Write;

/// Text of unknown origin, safe between tags and inside quoted attributes. Control characters are shown as escapes.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len() + 16);
    for c in printable(text).chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

/// A name that has `most` columns at most, escaped.
pub(super) fn label(name: &str, most: usize) -> String {
    escaped(&shortened(&printable(name), most))
}

/// A signed number with a real minus.
pub(super) fn signed(value: f64, digits: usize) -> String {
    format!("{value:+.digits$}").replace('-', "−")
}

/// A number with a real minus.
pub(super) fn plain(value: f64, digits: usize) -> String {
    format!("{value:.digits$}").replace('-', "−")
}

/// A table cell of a number.
pub(super) fn number_cell(out: &mut String, text: &str) {
    write!(out, "<td class=\"n\">{text}</td>").expect("a string grows");
}

/// `1 row`, `2 rows`.
pub(super) fn counted(count: usize, noun: &str) -> String {
    if count == 1 {
        format!("1 {noun}")
    } else {
        format!("{count} {noun}s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_a_name_stays_text() {
        assert_eq!(
            escaped("<b a='\"'>&\u{0}"),
            "&lt;b a=&#39;&quot;&#39;&gt;&amp;\\u{0}"
        );
        assert_eq!(label("</svg><script>", 9), "&lt;/sv…ipt&gt;");
    }
}
