//! Bytes of somebody hostile as text that a terminal, a log file and a person can be given.

use std::fmt::Write;

/// Whether a character looks like itself and does nothing else.
///
/// Not those that move the cursor, change colours or the direction of what follows, are not seen at all, or end a line for some readers.
pub fn is_shown_as_it_is(character: char) -> bool {
    !character.is_control()
        && !matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}'
            | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{3164}' | '\u{ffa0}' // letters that are not seen
            | '\u{200b}'..='\u{200f}' // of no width, and marks of direction
            | '\u{2028}'..='\u{202e}' // separators of lines; embeddings and overrides
            | '\u{2060}'..='\u{206f}' // of no width, isolates
            | '\u{fff9}'..='\u{fffb}' // annotations
            | '\u{e0000}'..='\u{e0fff}' // tags and what is not seen
        )
}

/// `bytes` with everything else written as `\x1b` or `\u{202e}`. For people: a backslash stays one, so there is no way back.
pub fn escape(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                shown if is_shown_as_it_is(shown) => text.push(shown),
                '\t' => text.push_str("\\t"),
                '\r' => text.push_str("\\r"),
                '\n' => text.push_str("\\n"),
                ascii if ascii.is_ascii() => {
                    push(&mut text, format_args!("\\x{:02x}", ascii as u32))
                }
                other => push(&mut text, format_args!("\\u{{{:x}}}", other as u32)),
            }
        }
        for byte in chunk.invalid() {
            push(&mut text, format_args!("\\x{byte:02x}"));
        }
    }
    text
}

fn push(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    text.write_fmt(arguments).expect("strings take everything");
}
