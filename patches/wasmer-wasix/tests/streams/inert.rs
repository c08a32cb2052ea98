//! The filter by itself, against a model of it and against what a terminal obeys.

use wasmer_wasix::profile::terminal::Inert;

/// Returns the filter's output for writes, one after the other.
pub(crate) fn shown<'a>(colours: bool, writes: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let (mut inert, mut shown) = (Inert::new().colours(colours), Vec::new());
    for written in writes {
        inert.filter(written, &mut shown);
    }
    inert.finish(&mut shown);
    shown
}

fn text(colours: bool, written: &[u8]) -> String {
    String::from_utf8(shown(colours, [written])).unwrap()
}

/// A model of the documentation, character by character; without colours.
fn model(written: &[u8]) -> String {
    let text = String::from_utf8_lossy(written);
    let mut characters = text.chars().peekable();
    let mut shown = String::new();
    while let Some(character) = characters.next() {
        shown.push(match character {
            '\n' | '\t' => character,
            '\r' if characters.peek() == Some(&'\n') => character,
            '\0'..='\x1f' => char::from_u32(0x2400 + character as u32).unwrap(),
            '\x7f' => '␡',
            '\u{80}'..='\u{9f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
            _ => character,
        });
    }
    shown
}

/// True if a terminal finds nothing to obey, but for colours where these are allowed. Written without the filter's
/// code, so that a mistake isn't made twice.
fn obeyed(colours: bool, shown: &[u8]) -> Option<String> {
    let mut text = std::str::from_utf8(shown).unwrap();
    while let Some(at) = text.find(|c: char| c.is_control() && c != '\n' && c != '\t') {
        text = &text[at..];
        let sequence = text
            .find('m')
            .map_or(text, |end| &text[..=end])
            .strip_prefix("\x1b[");
        let parameters = sequence.and_then(|sequence| sequence.strip_suffix('m'));
        let is_colour =
            parameters.is_some_and(|all| all.chars().all(|c| matches!(c, '0'..='9' | ';' | ':')));
        if text.starts_with("\r\n") {
            text = &text[2..];
        } else if colours && is_colour {
            text = &text[parameters?.len() + 3..];
        } else {
            return Some(text.chars().take(10).collect());
        }
    }
    text.find(|c| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
        .map(|_| "the direction of text".to_owned())
}

#[test]
fn what_a_terminal_obeys_is_shown_instead() {
    for (written, expected) in [
        (
            &b"plain text\n\twith a tab\n"[..],
            "plain text\n\twith a tab\n",
        ),
        (b"\x1b[2J\x1b[H", "␛[2J␛[H"),
        (
            b"\x1b]0;title\x07\x1b]52;c;cm0gLXJm\x1b\\",
            "␛]0;title␇␛]52;c;cm0gLXJm␛\\",
        ),
        (b"\x1bP$q\"p\x1b\\\x1b[c\x1bc", "␛P$q\"p␛\\␛[c␛c"),
        (
            b"\x9b2J \xc2\x9b2J \xc2\x9d0;x\xc2\x9c",
            "\u{fffd}2J \u{fffd}2J \u{fffd}0;x\u{fffd}",
        ),
        (b"\0\x07\x08\x0b\x0c\x0e\x1f\x7f", "␀␇␈␋␌␎␟␡"),
        (
            b"safe\roverwritten\r\nlines\r\n",
            "safe␍overwritten\r\nlines\r\n",
        ),
        (
            "a\u{202e}b\u{2066}c\u{200f}".as_bytes(),
            "a\u{fffd}b\u{fffd}c\u{200f}",
        ),
        ("grüße 你好 🦀\n".as_bytes(), "grüße 你好 🦀\n"),
        (
            b"\xff \xf0\x9f\xa6 \xed\xa0\x80 \xc0\xaf",
            "\u{fffd} \u{fffd} \u{fffd}\u{fffd}\u{fffd} \u{fffd}\u{fffd}",
        ),
    ] {
        assert_eq!(text(false, written), expected);
        assert_eq!(obeyed(false, text(false, written).as_bytes()), None);
    }
    // The check above sees what gets through.
    assert!(obeyed(false, b"\x1b[31m").is_some());
    assert!(obeyed(true, b"\x1b[31K m").is_some());
    assert!(obeyed(true, "\u{9b}31m".as_bytes()).is_some());
}

#[test]
fn colours_pass_on_request_and_nothing_else_does() {
    assert_eq!(
        text(true, b"\x1b[1;31mred\x1b[0m\n"),
        "\x1b[1;31mred\x1b[0m\n"
    );
    assert_eq!(
        text(true, b"\x1b[38:2::1:2:3mx\x1b[m"),
        "\x1b[38:2::1:2:3mx\x1b[m"
    );
    assert_eq!(text(true, b"\x1b[31mleft red"), "\x1b[31mleft red\x1b[m");
    assert_eq!(text(true, b"\x1b[31K\x1b[>4m\x1b[?1m"), "␛[31K␛[>4m␛[?1m");
    assert_eq!(
        text(true, b"\x1b]8;;m\x1b[3\x1b[31m"),
        "␛]8;;m␛[3\x1b[31m\x1b[m"
    );
    assert_eq!(text(true, b"\xc2\x9b31m"), "\u{fffd}31m");
    let (longest, longer) = ("1".repeat(64), "1".repeat(65));
    let (passes, stays) = (format!("\x1b[{longest}m"), format!("\x1b[{longer}m"));
    assert_eq!(text(true, passes.as_bytes()), format!("{passes}\x1b[m"));
    assert_eq!(text(true, stays.as_bytes()), format!("␛[{longer}m"));
}

#[test]
fn what_is_cut_off_at_the_end_is_shown() {
    assert_eq!(text(false, b"\r"), "␍");
    assert_eq!(text(false, b"\xf0\x9f\xa6"), "\u{fffd}");
    assert_eq!(text(true, b"\x1b"), "␛");
    assert_eq!(text(true, b"\x1b[31;"), "␛[31;");
}

/// Numbers at random from a seed (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end as u64).unwrap()
    }

    /// Pieces that mean something to a terminal or to UTF-8, and single bytes.
    fn output(&mut self) -> Vec<u8> {
        const PIECES: [&[u8]; 22] = [
            b"\x1b",
            b"\x1b[",
            b"[",
            b"31",
            b";",
            b":",
            b"m",
            b"\x1b[0m",
            b"\x1b[1;32m",
            b"\x1b]0;",
            b"\x07",
            b"\x1b\\",
            b"\r",
            b"\n",
            b"\r\n",
            b"\xc2",
            b"\x9b",
            b"\xe2\x80",
            b"\xae",
            b"\xf0\x9f\xa6\x80",
            b"\xed\xa0",
            b"0123456789012345678901234567890123456789",
        ];
        let mut output = Vec::new();
        for _ in 0..self.below(12) {
            match self.below(5) {
                0 => output.push(self.below(256) as u8),
                _ => output.extend_from_slice(PIECES[self.below(PIECES.len())]),
            }
        }
        output
    }
}

#[test]
fn however_output_is_divided_the_same_is_shown_and_nothing_is_obeyed() {
    for seed in 1..=20_000_u64 {
        let written = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)).output();
        assert_eq!(
            text(false, &written),
            model(&written),
            "seed {seed}: {written:x?}"
        );
        for colours in [false, true] {
            let whole = shown(colours, [&written[..]]);
            assert_eq!(obeyed(colours, &whole), None, "seed {seed}: {written:x?}");
            assert!(whole.len() <= written.len() * 3 + 3, "seed {seed}");
            let bytes = shown(colours, written.chunks(1));
            assert_eq!(bytes, whole, "seed {seed}, byte by byte: {written:x?}");
            for at in 0..=written.len() {
                let (before, after) = written.split_at(at);
                let divided = shown(colours, [before, after]);
                assert_eq!(divided, whole, "seed {seed}, at {at}: {written:x?}");
            }
        }
    }
}
