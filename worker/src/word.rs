//! The message of a worker about its end, as it goes through the socket.

use serde::{Deserialize, Serialize};

/// The ends that a worker can say of itself. The rest of [`End`](crate::End) is for the host to find out.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Word {
    Exited(i32),
    Trapped(String),
    Failed(String),
}

/// The most bytes of a message that a worker sends, and that a host keeps.
pub(crate) const LONGEST: usize = 16 << 10;

/// The beginning of a message, as much as is sent and kept.
pub(crate) fn shortened(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(LONGEST));
    text
}

/// A message of a worker's, without what would control a terminal that it is printed on.
pub(crate) fn inert(text: &str) -> String {
    let mut inert = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\t' => inert.push(character),
            // With it `U+061C` and the like, which turn the direction of what follows.
            _ if character.is_control() || is_format(character) => {
                inert.extend(character.escape_unicode());
            }
            _ => inert.push(character),
        }
    }
    inert
}

/// True if a character directs how others are shown.
fn is_format(character: char) -> bool {
    matches!(
        character,
        '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_cut_between_characters() {
        assert_eq!(shortened("short".to_owned()), "short");
        let long = "é".repeat(LONGEST);
        assert_eq!(shortened(long).len(), LONGEST);
        let odd = format!("a{}", "é".repeat(LONGEST));
        assert_eq!(shortened(odd).len(), LONGEST - 1);
    }

    #[test]
    fn what_controls_a_terminal_is_escaped() {
        assert_eq!(inert("a\tb\nc é"), "a\tb\nc é");
        assert_eq!(
            inert("\u{1b}]0;x\u{7}\u{9b}\u{202e}"),
            "\\u{1b}]0;x\\u{7}\\u{9b}\\u{202e}"
        );
    }
}
