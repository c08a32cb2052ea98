//! The filter by itself: bytes in, bytes out.

use std::char::REPLACEMENT_CHARACTER;

/// The longest colour that is let through has this many bytes between `ESC [` and `m`. One that sets foreground and
/// background in full has 35.
const LONGEST_COLOUR: usize = 64;

/// Makes output inert for a terminal: what comes out is text, and at most colours.
///
/// - Control characters are shown as pictures (`ESC` as `␛`), those of Unicode's second block (C1) as `U+FFFD`, whether
///   they come as bytes or as UTF-8. What follows an `ESC` is then text like any other. A new line, a tab, and a
///   carriage return right before a new line stay; any other carriage return would let a line be overwritten.
/// - The characters that change the direction of text (`U+202A` to `U+202E`, `U+2066` to `U+2069`) are `U+FFFD`: with
///   them a line reads as another one than it is.
/// - What isn't UTF-8 is `U+FFFD`, as often as [`String::from_utf8_lossy`] has it.
///
/// What is cut in two by the end of a write is held until the next one, so that it makes no difference how output is
/// divided.
///
/// # Example
///
/// ```
/// use wasmer_wasix::profile::terminal::Inert;
///
/// let (mut inert, mut shown) = (Inert::new(), Vec::new());
/// inert.filter(b"\x1b]0;a title\x07 text\n", &mut shown);
/// assert_eq!(shown, "␛]0;a title␇ text\n".as_bytes());
///
/// // With colours, which are reset at the end.
/// let (mut inert, mut shown) = (Inert::new().colours(true), Vec::new());
/// inert.filter(b"\x1b[31mred\x1b[2J", &mut shown);
/// inert.finish(&mut shown);
/// assert_eq!(shown, "\x1b[31mred␛[2J\x1b[m".as_bytes());
/// ```
#[derive(Debug, Clone, Default)]
pub struct Inert {
    colours: bool,
    /// Colours are set, and not yet reset.
    coloured: bool,
    /// The begin of what isn't complete.
    held: Vec<u8>,
}

/// The kind of the first character of some bytes.
enum Begin {
    /// So many bytes belong together.
    Whole(usize),
    /// More has to come before it can be told.
    Cut,
    /// Nothing that is let through.
    Other,
}

impl Inert {
    /// A filter that lets no escape sequence through.
    ///
    /// [Example](Inert#example).
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// May the module set colours and the like? Of all sequences only `ESC [ … m` passes then, with digits, `;` and `:`,
    /// and what is set at the end is reset.
    ///
    /// [Example](Inert#example).
    #[must_use]
    pub fn colours(mut self, allowed: bool) -> Self {
        self.colours = allowed;
        self
    }

    /// Adds to `shown` what `written` looks like: at most three bytes for each.
    ///
    /// [Example](Inert#example).
    pub fn filter(&mut self, written: &[u8], shown: &mut Vec<u8>) {
        if self.held.is_empty() {
            self.begin(written, shown);
        } else {
            let mut joined = std::mem::take(&mut self.held);
            joined.extend_from_slice(written);
            self.begin(&joined, shown);
        }
    }

    /// Adds to `shown` what is held and can't become complete any more, and resets colours. Output may go on afterwards.
    ///
    /// [Example](Inert#example).
    pub fn finish(&mut self, shown: &mut Vec<u8>) {
        let held = std::mem::take(&mut self.held);
        // What is held is one sequence, and only its first byte isn't text.
        match held.split_first() {
            Some((&first, rest)) if first.is_ascii() => {
                picture(first, shown);
                shown.extend_from_slice(rest);
            }
            Some(_) => push(REPLACEMENT_CHARACTER, shown),
            None => {}
        }
        if std::mem::take(&mut self.coloured) {
            shown.extend_from_slice(b"\x1b[m");
        }
    }

    fn begin(&mut self, mut rest: &[u8], shown: &mut Vec<u8>) {
        while let Some(&first) = rest.first() {
            let taken = match first {
                _ if is_text(first) => {
                    let text = rest.iter().position(|byte| !is_text(*byte));
                    let text = &rest[..text.unwrap_or(rest.len())];
                    shown.extend_from_slice(text);
                    text.len()
                }
                0x80.. => {
                    let wide = rest.iter().position(u8::is_ascii).unwrap_or(rest.len());
                    let cut = if wide == rest.len() { cut_off(rest) } else { 0 };
                    characters(&rest[..wide - cut], shown);
                    if cut > 0 {
                        return self.hold(&rest[wide - cut..]);
                    }
                    wide
                }
                _ => match self.sequence(rest) {
                    Begin::Whole(length) => {
                        shown.extend_from_slice(&rest[..length]);
                        length
                    }
                    Begin::Cut => return self.hold(rest),
                    Begin::Other => {
                        picture(first, shown);
                        1
                    }
                },
            };
            rest = &rest[taken..];
        }
    }

    fn hold(&mut self, cut: &[u8]) {
        self.held.extend_from_slice(cut);
    }

    /// Returns the sequence that a control character begins.
    fn sequence(&mut self, rest: &[u8]) -> Begin {
        match rest {
            [b'\r'] => Begin::Cut,
            [b'\r', b'\n', ..] => Begin::Whole(2),
            [0x1b, rest @ ..] if self.colours => {
                let begin = colour(rest);
                if let Begin::Whole(length) = begin {
                    let parameters = &rest[1..length - 1];
                    self.coloured = !matches!(parameters, [] | [b'0']);
                    return Begin::Whole(length + 1);
                }
                begin
            }
            _ => Begin::Other,
        }
    }
}

/// True if the character is left unchanged, byte by byte.
fn is_text(byte: u8) -> bool {
    matches!(byte, b' '..=b'~' | b'\n' | b'\t')
}

/// The sequence that sets colours, after its `ESC`.
fn colour(rest: &[u8]) -> Begin {
    let parameters = match rest {
        [] => return Begin::Cut,
        [b'[', parameters @ ..] => parameters,
        _ => return Begin::Other,
    };
    let end = parameters
        .iter()
        .take(LONGEST_COLOUR + 1)
        .position(|byte| !matches!(byte, b'0'..=b'9' | b';' | b':'));
    match end {
        Some(end) if parameters[end] == b'm' => Begin::Whole(end + 2),
        None if parameters.len() <= LONGEST_COLOUR => Begin::Cut,
        _ => Begin::Other,
    }
}

/// Counts the bytes at the end that are the begin of a character. `wide` has no ASCII in it.
fn cut_off(wide: &[u8]) -> usize {
    // A character has at most four bytes, so it begins among the last three.
    let tail = (1..=wide.len().min(3)).map(|length| &wide[wide.len() - length..]);
    tail.filter(|tail| {
        matches!(std::str::from_utf8(tail), Err(e) if e.valid_up_to() == 0 && e.error_len().is_none())
    })
    .map(<[u8]>::len)
    .max()
    .unwrap_or(0)
}

fn characters(wide: &[u8], shown: &mut Vec<u8>) {
    for chunk in wide.utf8_chunks() {
        let mut valid = chunk.valid();
        while let Some((at, character)) = valid.char_indices().find(|(_, c)| deceives(*c)) {
            shown.extend_from_slice(&valid.as_bytes()[..at]);
            push(REPLACEMENT_CHARACTER, shown);
            valid = &valid[at + character.len_utf8()..];
        }
        shown.extend_from_slice(valid.as_bytes());
        if !chunk.invalid().is_empty() {
            push(REPLACEMENT_CHARACTER, shown);
        }
    }
}

/// True if a character beyond ASCII controls the terminal or the direction of text.
fn deceives(character: char) -> bool {
    matches!(character, '\u{80}'..='\u{9f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Unicode's picture of a control character.
fn picture(control: u8, shown: &mut Vec<u8>) {
    let picture = match control {
        0..0x20 => char::from_u32(0x2400 + u32::from(control)),
        0x7f => Some('␡'),
        _ => None,
    };
    push(picture.unwrap_or(REPLACEMENT_CHARACTER), shown);
}

fn push(character: char, shown: &mut Vec<u8>) {
    shown.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
}
